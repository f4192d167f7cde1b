// Command signet-kustomize runs the real kustomize library on a tree that it is given over a pipe.
//
// It reads requests from its standard input and writes one answer for each to its standard output, until the input
// ends. A frame is a 4-byte big-endian length and so many bytes of JSON; in a request the contents of the files follow
// the frame, one after the other, in the order and with the sizes that the frame names.
//
// It has no disk, no network and no other programs: the file system is the tree of the request (tree.go), the HTTP
// transport refuses, PATH is empty and there is no temporary directory (confine.go). The controller starts it with an
// empty environment and with limits on time and output besides.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// maxHeader bounds the JSON part of a request: the listing of a large repository takes some 100 bytes a file.
	maxHeader = 64 << 20
	// maxContents bounds the files of one request together.
	maxContents = 256 << 20
)

func main() {
	confine()
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "signet-kustomize:", err)
		os.Exit(1)
	}
}

// serve answers requests until the input ends. An error ends the process: after one the stream cannot be trusted.
func serve(input io.Reader, output io.Writer) error {
	reader := bufio.NewReaderSize(input, 1<<16)
	for {
		request, err := readRequest(reader)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := writeAnswer(output, build(request)); err != nil {
			return err
		}
	}
}

// request is one build: a tree, the directory in it, and what the Flux Kustomization adds.
type request struct {
	// Path is the directory to build, relative to the root of the tree; empty for the root.
	Path string `json:"path"`
	// Files lists the whole tree. Only files with a size of zero or more come with their contents.
	Files []listed `json:"files"`
	// Overlay is what the Flux Kustomization adds to the kustomization file.
	Overlay overlay `json:"overlay"`

	contents map[string][]byte
}

// listed is one file of the tree.
type listed struct {
	Path string `json:"path"`
	// Size is the number of bytes that follow the frame for this file; negative when they were not sent.
	Size int64 `json:"size"`
}

// answer is the outcome of one build: documents, or files that are needed and were not sent, or an error.
type answer struct {
	// Documents are the resources, each as one YAML document, in kustomize's order.
	Documents []string `json:"documents,omitempty"`
	// Need names listed files that the build wanted to read. The caller sends them and asks again.
	Need []string `json:"need,omitempty"`
	// Error is kustomize's message.
	Error string `json:"error,omitempty"`
}

// readRequest reads one frame and the files behind it; io.EOF when the input ended before a frame.
func readRequest(reader io.Reader) (*request, error) {
	var length uint32
	if err := binary.Read(reader, binary.BigEndian, &length); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, fmt.Errorf("cannot read the length of a request: %w", err)
	}
	if length > maxHeader {
		return nil, fmt.Errorf("a request of %d bytes is over the limit of %d", length, maxHeader)
	}
	header := make([]byte, length)
	if _, err := io.ReadFull(reader, header); err != nil {
		return nil, fmt.Errorf("cannot read a request: %w", err)
	}
	parsed := &request{contents: map[string][]byte{}}
	if err := json.Unmarshal(header, parsed); err != nil {
		return nil, fmt.Errorf("cannot parse a request: %w", err)
	}
	var total int64
	for _, file := range parsed.Files {
		if file.Size < 0 {
			continue
		}
		// Compared without adding, so that a huge size cannot wrap around.
		if file.Size > maxContents-total {
			return nil, fmt.Errorf("the files of a request are over the limit of %d bytes", maxContents)
		}
		total += file.Size
		content := make([]byte, file.Size)
		if _, err := io.ReadFull(reader, content); err != nil {
			return nil, fmt.Errorf("cannot read the files of a request: %w", err)
		}
		parsed.contents[file.Path] = content
	}
	return parsed, nil
}

func writeAnswer(output io.Writer, result answer) error {
	body, err := json.Marshal(result)
	if err != nil {
		return fmt.Errorf("cannot encode an answer: %w", err)
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	if _, err := output.Write(append(frame, body...)); err != nil {
		return fmt.Errorf("cannot write an answer: %w", err)
	}
	return nil
}
