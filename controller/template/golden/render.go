// Renders every case with Go's own text/template and the function map of one incumbent, and writes
// what came out as JSON. Run by generate.sh in a module per incumbent, for they pin different
// versions of what sprig stands on.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

type result struct {
	Template     string `json:"template"`
	Output       string `json:"output,omitempty"`
	OutputBase64 string `json:"output_base64,omitempty"`
	Error        string `json:"error,omitempty"`
	Message      string `json:"message,omitempty"`
}

func main() {
	time.Local = time.UTC
	golden, vectors := os.Args[1], os.Args[2]
	values := readValues(filepath.Join(golden, "values.json"))
	files, err := filepath.Glob(filepath.Join(golden, "cases", "*.txt"))
	must(err)
	sort.Strings(files)
	results := []result{}
	for _, file := range files {
		results = append(results, renderFile(file, values)...)
	}
	write(filepath.Join(vectors, dialect+".json"), results)
	names := []string{}
	for name := range functions() {
		names = append(names, name)
	}
	for _, name := range strings.Fields("and call eq ge gt html index js le len lt ne not or print printf println slice urlquery") {
		if _, covered := functions()[name]; !covered {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	write(filepath.Join(vectors, dialect+"-names.json"), names)
}

func readValues(path string) map[string]string {
	data, err := os.ReadFile(path)
	must(err)
	raw := map[string]string{}
	must(json.Unmarshal(data, &raw))
	values := map[string]string{}
	for key, value := range raw {
		decoded, err := base64.StdEncoding.DecodeString(value)
		must(err)
		values[key] = string(decoded)
	}
	return values
}

// A case is a line. "↵" stands for a line break; "sealed: " or "eso: " before it says whose it is.
func renderFile(path string, values map[string]string) []result {
	file, err := os.Open(path)
	must(err)
	defer file.Close()
	results := []result{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "## ") {
			continue
		}
		for _, whose := range []string{"sealed", "eso"} {
			if rest, found := strings.CutPrefix(line, whose+": "); found {
				line = rest
				if whose != dialect {
					line = ""
				}
			}
		}
		if line != "" {
			results = append(results, render(strings.ReplaceAll(line, "↵", "\n"), values))
		}
	}
	must(lines.Err())
	return results
}

func render(source string, values map[string]string) result {
	one := result{Template: source}
	parsed, err := template.New("case").Option("missingkey=" + missingKey).Funcs(functions()).Parse(source)
	if err != nil {
		one.Error, one.Message = "parse", err.Error()
		return one
	}
	data := map[string]string{}
	for key, value := range values {
		data[key] = value
	}
	var out bytes.Buffer
	if err := execute(parsed, &out, data); err != nil {
		one.Error, one.Message = "execute", err.Error()
		return one
	}
	if utf8.Valid(out.Bytes()) {
		one.Output = out.String()
	} else {
		one.OutputBase64 = base64.StdEncoding.EncodeToString(out.Bytes())
	}
	return one
}

func execute(parsed *template.Template, out *bytes.Buffer, data map[string]string) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return parsed.Execute(out, data)
}

func write(path string, what any) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	must(encoder.Encode(what))
	must(os.WriteFile(path, out.Bytes(), 0o644))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
