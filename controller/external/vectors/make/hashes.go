package main

import (
	"crypto/sha3"
	"fmt"
)

// SHA3-224 over the text that Go makes of a value.
func hash(value any) string {
	return fmt.Sprintf("%x", sha3.Sum224(fmt.Appendf(nil, "%+v", value)))
}

type hashTables struct {
	// The `data-hash` annotation. Values are in base64.
	Data []dataHash `json:"data"`
	// `status.syncedResourceVersion`.
	Synced []syncedVersion `json:"synced"`
	// The `created-by` label.
	CreatedBy []textHash `json:"createdBy"`
}

type dataHash struct {
	Data map[string][]byte `json:"data"`
	Hash string            `json:"hash"`
}

type syncedVersion struct {
	Generation  int64             `json:"generation"`
	Annotations map[string]string `json:"annotations"`
	Labels      map[string]string `json:"labels"`
	Version     string            `json:"version"`
}

type textHash struct {
	Text string `json:"text"`
	Hash string `json:"hash"`
}

func hashVectors() hashTables {
	var tables hashTables
	every := make([]byte, 256)
	for value := range every {
		every[value] = byte(value)
	}
	for _, data := range []map[string][]byte{
		nil, {}, {"a": nil}, {"a": {}}, {"a": []byte("x")}, {"targetProperty": []byte("someValue")}, {"foo": []byte("value1"), "bar": []byte("value2")},
		{"every": every, "b.c": {0}, "B-C": {255}, "_": {10, 9, 100, 99}}, {"z": {1}, "Z": {2}, "a.b": {3}, "a-b": {4}, "a_b": {5}, "ab": {6}},
	} {
		tables.Data = append(tables.Data, dataHash{data, hash(data)})
	}
	type metadata struct {
		annotations map[string]string
		labels      map[string]string
	}
	maps := []map[string]string{
		nil, {}, {"a": "b"}, {"a": "b", "c": "d"}, {"z": "", "A": "with blank", "a:b": "c]d", "é": "😀"}, {"external-secrets.io/force-sync": "1700000000", "kubectl.kubernetes.io/last-applied-configuration": "{\"a\":1}\n"},
	}
	for generation, annotations := range maps {
		for _, labels := range maps {
			version := fmt.Sprintf("%d-%s", generation, hash(metadata{annotations, labels}))
			tables.Synced = append(tables.Synced, syncedVersion{int64(generation), annotations, labels, version})
		}
	}
	for _, name := range []string{"default/my-es", "a/b", "team-1/" + "long-" + "name.with.dots", "/"} {
		tables.CreatedBy = append(tables.CreatedBy, textHash{name, hash(name)})
	}
	return tables
}
