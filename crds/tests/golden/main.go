// Command golden makes the expectations of crds/tests/yaml.rs with the library that kubectl uses. Run it by
// hand in its own directory, and commit what it writes:
//
//	go run .
//
// Reading: each input is converted by YAMLToJSON and by YAMLToJSONStrict. Writing: each JSON value is
// written by Marshal. The handwritten cases say what they are about; the generated ones are of a fixed seed.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"math/rand"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// outcome is what the library made of an input; JSON is absent where it refused.
type outcome struct {
	JSON json.RawMessage `json:"json,omitempty"`
}

type read struct {
	Name   string  `json:"name"`
	Input  string  `json:"input"`
	Lax    outcome `json:"lax"`
	Strict outcome `json:"strict"`
}

type write struct {
	Value  json.RawMessage `json:"value"`
	Output string          `json:"output"`
}

func main() {
	log.SetFlags(0)
	var reads []read
	for _, c := range append(handwritten(), scalars(rand.New(rand.NewSource(46)))...) {
		reads = append(reads, read{
			Name: c.name, Input: c.input,
			Lax:    convert(c.input, yaml.YAMLToJSON),
			Strict: convert(c.input, yaml.YAMLToJSONStrict),
		})
	}
	save("read.json", reads)

	var writes []write
	for _, value := range append(values(), generated(rand.New(rand.NewSource(46)))...) {
		output, err := yaml.Marshal(value)
		if err != nil {
			log.Fatal(err)
		}
		writes = append(writes, write{Value: marshal(value), Output: string(output)})
	}
	save("write.json", writes)
}

func convert(input string, with func([]byte) ([]byte, error)) outcome {
	converted, err := with([]byte(input))
	if err != nil {
		return outcome{}
	}
	return outcome{JSON: converted}
}

func marshal(value any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		log.Fatal(err)
	}
	return bytes.TrimRight(buffer.Bytes(), "\n")
}

// save writes one case a line, so that a changed case is a changed line.
func save[T any](path string, cases []T) {
	lines := make([]string, 0, len(cases))
	for _, c := range cases {
		lines = append(lines, string(marshal(c)))
	}
	text := "[\n" + strings.Join(lines, ",\n") + "\n]\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}
