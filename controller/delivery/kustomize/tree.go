package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const (
	// maxReads bounds how many files one build may read. A graph of bases that fans out reads the same files again
	// and again; a large honest build reads a few thousand.
	maxReads = 50_000
	// maxReadBytes bounds what one build may read in total.
	maxReadBytes = 512 << 20
)

var (
	errReadOnly = errors.New("the tree is read-only")
	errBudget   = errors.New("the build reads too much: a graph of bases that fans out, or a tree that is too large")
)

// tree is a read-only file system in memory. Its root is the root of the repository, and there is nothing above it:
// every path is made absolute and cleaned first, so that ".." at the root stays at the root.
type tree struct {
	files map[string]*leaf
	dirs  map[string][]string

	reads     int
	readBytes int64
	needed    []string
	exhausted bool
}

// leaf is a file; its content is missing when the controller did not send it.
type leaf struct {
	content []byte
	sent    bool
}

// newTree builds the file system of a request. A path that is not clean and relative is refused.
func newTree(files []listed, contents map[string][]byte) (*tree, error) {
	result := &tree{files: make(map[string]*leaf, len(files)), dirs: map[string][]string{"/": nil}}
	for _, file := range files {
		absolute := "/" + file.Path
		if file.Path == "" || path.Clean(absolute) != absolute {
			return nil, fmt.Errorf("the tree has a path that is not clean: %q", file.Path)
		}
		if result.files[absolute] != nil || result.dirs[absolute] != nil {
			return nil, fmt.Errorf("the tree has a path twice: %q", file.Path)
		}
		content, sent := contents[file.Path]
		result.put(absolute, &leaf{content: content, sent: sent})
	}
	for _, names := range result.dirs {
		sort.Strings(names)
	}
	return result, nil
}

func (t *tree) put(absolute string, file *leaf) {
	t.files[absolute] = file
	for child := absolute; child != "/"; {
		parent := path.Dir(child)
		names, known := t.dirs[parent]
		t.dirs[parent] = append(names, path.Base(child))
		if known {
			return
		}
		child = parent
	}
}

// replace puts content in the place of a file, or makes the file.
func (t *tree) replace(name string, content []byte) {
	absolute := absolute(name)
	if file := t.files[absolute]; file != nil {
		file.content, file.sent = content, true
		return
	}
	t.put(absolute, &leaf{content: content, sent: true})
	sort.Strings(t.dirs[path.Dir(absolute)])
}

func absolute(name string) string {
	return path.Clean("/" + name)
}

// ReadFile implements filesys.FileSystem. A listed file that was not sent is noted, and the build is repeated with it.
func (t *tree) ReadFile(name string) ([]byte, error) {
	name = absolute(name)
	file := t.files[name]
	if file == nil {
		if _, is := t.dirs[name]; is {
			return nil, &os.PathError{Op: "read", Path: name, Err: errors.New("is a directory")}
		}
		return nil, &os.PathError{Op: "open", Path: name, Err: os.ErrNotExist}
	}
	if !file.sent {
		t.needed = append(t.needed, strings.TrimPrefix(name, "/"))
		return nil, &os.PathError{Op: "read", Path: name, Err: errors.New("not sent yet")}
	}
	t.reads++
	t.readBytes += int64(len(file.content))
	if t.reads > maxReads || t.readBytes > maxReadBytes {
		t.exhausted = true
		return nil, errBudget
	}
	return file.content, nil
}

// Exists implements filesys.FileSystem.
func (t *tree) Exists(name string) bool {
	return t.files[absolute(name)] != nil || t.IsDir(name)
}

// IsDir implements filesys.FileSystem.
func (t *tree) IsDir(name string) bool {
	_, is := t.dirs[absolute(name)]
	return is
}

// CleanedAbs implements filesys.FileSystem.
func (t *tree) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	name = absolute(name)
	if t.IsDir(name) {
		return filesys.ConfirmedDir(name), "", nil
	}
	if t.files[name] != nil {
		return filesys.ConfirmedDir(path.Dir(name)), path.Base(name), nil
	}
	return "", "", fmt.Errorf("'%s' doesn't exist", name)
}

// ReadDir implements filesys.FileSystem.
func (t *tree) ReadDir(name string) ([]string, error) {
	names, is := t.dirs[absolute(name)]
	if !is {
		return nil, &os.PathError{Op: "readdir", Path: name, Err: os.ErrNotExist}
	}
	return append([]string(nil), names...), nil
}

// Glob implements filesys.FileSystem.
func (t *tree) Glob(pattern string) ([]string, error) {
	var found []string
	for name := range t.files {
		matches, err := path.Match(absolute(pattern), name)
		if err != nil {
			return nil, err
		}
		if matches {
			found = append(found, name)
		}
	}
	sort.Strings(found)
	return found, nil
}

// Walk implements filesys.FileSystem, in lexical order.
func (t *tree) Walk(name string, visit filepath.WalkFunc) error {
	err := t.walk(absolute(name), visit)
	if errors.Is(err, filepath.SkipDir) || errors.Is(err, filepath.SkipAll) {
		return nil
	}
	return err
}

func (t *tree) walk(name string, visit filepath.WalkFunc) error {
	if file := t.files[name]; file != nil {
		return visit(name, info{name: path.Base(name), size: int64(len(file.content))}, nil)
	}
	names, is := t.dirs[name]
	if !is {
		return visit(name, nil, os.ErrNotExist)
	}
	if err := visit(name, info{name: path.Base(name), dir: true}, nil); err != nil {
		return err
	}
	for _, child := range names {
		err := t.walk(path.Join(name, child), visit)
		if err != nil && !errors.Is(err, filepath.SkipDir) {
			return err
		}
	}
	return nil
}

// Open implements filesys.FileSystem.
func (t *tree) Open(name string) (filesys.File, error) {
	content, err := t.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &opened{Reader: strings.NewReader(string(content)), info: info{name: path.Base(name), size: int64(len(content))}}, nil
}

// Create implements filesys.FileSystem.
func (*tree) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir implements filesys.FileSystem.
func (*tree) Mkdir(string) error { return errReadOnly }

// MkdirAll implements filesys.FileSystem.
func (*tree) MkdirAll(string) error { return errReadOnly }

// RemoveAll implements filesys.FileSystem.
func (*tree) RemoveAll(string) error { return errReadOnly }

// WriteFile implements filesys.FileSystem.
func (*tree) WriteFile(string, []byte) error { return errReadOnly }

// opened is a file open for reading.
type opened struct {
	io.Reader
	info info
}

// Write implements filesys.File.
func (*opened) Write([]byte) (int, error) { return 0, errReadOnly }

// Close implements filesys.File.
func (*opened) Close() error { return nil }

// Stat implements filesys.File.
func (o *opened) Stat() (os.FileInfo, error) { return o.info, nil }

// info describes a file or a directory.
type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string     { return i.name }
func (i info) Size() int64      { return i.size }
func (i info) IsDir() bool      { return i.dir }
func (info) ModTime() time.Time { return time.Time{} }
func (info) Sys() any           { return nil }
func (i info) Mode() os.FileMode {
	if i.dir {
		return os.ModeDir | 0o555
	}
	return 0o444
}
