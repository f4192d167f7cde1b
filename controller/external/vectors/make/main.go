// Writes the vectors of this part with the Go libraries that the incumbent stands on. Where it has a
// formula of its own around them, the formula is written anew here:
//
//	cd controller/external/vectors/make && go run . ..
package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

func main() {
	directory := os.Args[1]
	write(directory, "properties.json", propertyVectors())
	write(directory, "rewrite.json", rewriteVectors())
	write(directory, "transform.json", transformVectors())
	write(directory, "merge.json", mergeVectors())
	write(directory, "keys.json", keyVectors())
	write(directory, "json.json", jsonVectors())
	write(directory, "decoding.json", decodingVectors())
	write(directory, "hashes.json", hashVectors())
}

func write(directory, name string, vectors any) {
	file, err := os.Create(filepath.Join(directory, name))
	must(err)
	encoder := json.NewEncoder(file)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	must(encoder.Encode(vectors))
	must(file.Close())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
