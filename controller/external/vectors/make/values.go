package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// What a value of a decoded object is as the bytes of a Secret.
func text(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	default:
		printed, err := json.Marshal(value)
		must(err)
		return string(printed)
	}
}

// The fields of a JSON object: as `extract` makes them (from the text of each), and as `rewrite.merge`
// does (from the decoded value). Absent where the document is no object.
type object struct {
	Document string            `json:"document"`
	Extract  map[string]string `json:"extract"`
	Merge    map[string]string `json:"merge"`
	// The merged object as one text (`strategy: JSON`).
	Printed string `json:"printed"`
}

var objects = []string{
	`{}`, ` { } `, `null`, `[]`, `"text"`, `1`, ``, `{"a":1}x`, `{"a":1,}`, `{a:1}`, `{'a':1}`, `{"a":1}{"b":2}`, "\ufeff{}", `{"a":01}`, `{"a":+1}`, `{"a":.5}`, `{"a":NaN}`, `{"a":1e400}`,
	`{"a":1,"b":1.0,"c":1.50,"d":1e3,"e":1E-7,"f":-0,"g":-0.0,"h":123456789012345678901234567890,"i":9007199254740993,"j":1e21,"k":0.1,"l":1e20,"m":5432,"n":-7}`,
	`{"t":true,"f":false,"n":null,"s":"","e":[],"o":{}}`, `{"s":"<a&b>","o":{"z":"<&>","a":[1,2.50,"\u2028"]},"l":["<",null,true,1e3]}`,
	`{"o":{ "b" : 1 ,"a":{"d":[ 1 ,{"y":1,"x":2}]}}}`, `{"d":1,"d":2}`, `{"d":{"x":1},"d":{"y":2}}`, `{"o":{"d":1,"d":2}}`,
	`{"s":"a\"b\\c\/d\n\t\b\f\r\u00e9\ud83d\ude00"}`, `{"s":"\ud83dx"}`, `{"s":"\ude00"}`, `{"\ud83d":"key"}`, `{"l":["\ud83d"]}`, `{"":"empty","é":"accent","\u0061":"escaped"}`,
	"{\"s\":\"tab\there\"}", "{\"s\":\"del\x7f\"}", `{"s":"\u0000"}`, `{"s":"\u2028\u2029"}`, `{"s":"\x"}`, `{"s":"unfinished`, `{"o":{"big":12345678901234567890,"small":1e-7,"e":1e400}}`, `{"o":[1e22,1e-6,1e-7,123456789.123456789]}`,
}

func jsonVectors() []object {
	var vectors []object
	for _, document := range objects {
		vector := object{Document: document}
		var raw map[string]json.RawMessage
		if json.Unmarshal([]byte(document), &raw) == nil {
			vector.Extract = map[string]string{}
			for key, field := range raw {
				var unquoted string
				if json.Unmarshal(field, &unquoted) == nil {
					vector.Extract[key] = unquoted
				} else {
					vector.Extract[key] = string(field)
				}
			}
		}
		if merged, _, err := merged(map[string]string{"only": document}, nil, false); err == nil {
			vector.Merge = texts(merged)
			vector.Printed = printed(merged)
		}
		vectors = append(vectors, vector)
	}
	return vectors
}

// What `rewrite.merge` makes of several values. Absent results are errors.
type mergeVector struct {
	In             map[string]string `json:"in"`
	Priority       []string          `json:"priority"`
	IgnoreNotFound bool              `json:"ignoreNotFound"`
	Conflicts      []string          `json:"conflicts"`
	Extract        map[string]string `json:"extract"`
	JSON           *string           `json:"json"`
}

func mergeVectors() []mergeVector {
	inputs := []map[string]string{
		{}, {"a": `{"x":1}`}, {"a": `{"x":1}`, "b": `{"y":"2"}`}, {"a": `{"x":"a","n":1}`, "b": `{"x":"b"}`}, {"a": `{"x":"a"}`, "b": `{"x":"b"}`, "c": `{"x":"c"}`},
		{"a": `{"x":{"deep":1}}`, "b": `{"x":{"other":2}}`}, {"a": `text`, "b": `{}`}, {"a": `null`, "b": `{"x":1}`}, {"a": `[1]`},
	}
	priorities := [][]string{nil, {"a"}, {"b", "a"}, {"gone"}, {"gone", "a"}, {"a", "a"}}
	var vectors []mergeVector
	for _, in := range inputs {
		for _, priority := range priorities {
			for _, ignore := range []bool{false, true} {
				vector := mergeVector{In: in, Priority: priority, IgnoreNotFound: ignore}
				if merged, conflicts, err := merged(in, priority, ignore); err == nil {
					slices.Sort(conflicts)
					whole := printed(merged)
					vector.Conflicts, vector.Extract, vector.JSON = conflicts, texts(merged), &whole
				}
				vectors = append(vectors, vector)
			}
		}
	}
	return vectors
}

// The fields of all objects: those that have no priority by name, then the others as they are listed.
func merged(in map[string]string, priority []string, ignoreNotFound bool) (map[string]any, []string, error) {
	order := slices.Sorted(maps.Keys(in))
	order = slices.DeleteFunc(order, func(key string) bool { return slices.Contains(priority, key) })
	all, conflicts := map[string]any{}, []string{}
	for _, key := range append(order, priority...) {
		value, found := in[key]
		if !found && ignoreNotFound {
			continue
		}
		if !found {
			return nil, nil, fmt.Errorf("no %s", key)
		}
		var fields map[string]any
		if err := json.Unmarshal([]byte(value), &fields); err != nil {
			return nil, nil, err
		}
		for name, field := range fields {
			if _, twice := all[name]; twice {
				conflicts = append(conflicts, name)
			}
			all[name] = field
		}
	}
	return all, conflicts, nil
}

func texts(fields map[string]any) map[string]string {
	all := map[string]string{}
	for key, field := range fields {
		all[key] = text(field)
	}
	return all
}

func printed(fields map[string]any) string {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(fields))
	return strings.TrimRight(buffer.String(), "\n")
}

// Which characters a key may keep, and how keys are converted.
type keyTables struct {
	// The version of Unicode that Go has.
	Unicode string `json:"unicode"`
	// The first and the last of each run of characters that stay.
	Kept [][2]rune `json:"kept"`
	// Keys with their conversions.
	Converted []convertedKey `json:"converted"`
}

type convertedKey struct {
	Key     string `json:"key"`
	Default string `json:"default"`
	Unicode string `json:"unicode"`
}

func keyVectors() keyTables {
	tables := keyTables{Unicode: unicode.Version}
	for character := rune(0); character <= unicode.MaxRune; character++ {
		if !kept(character) {
			continue
		}
		last := len(tables.Kept) - 1
		if last >= 0 && tables.Kept[last][1] == character-1 {
			tables.Kept[last][1] = character
		} else {
			tables.Kept = append(tables.Kept, [2]rune{character, character})
		}
	}
	for _, key := range append(keys, "/foo/bar", "foo$bar%baz*bing", "😀foo😁bar😂baz😈bing", "é-٣.Ⅷ_", "a\u0345b", "a\u0300b", "\u200d", "a\u00a0b", "\U0010ffff", "tab\t", "\x00") {
		converted := convertedKey{Key: key}
		for _, character := range key {
			if kept(character) {
				converted.Default += string(character)
				converted.Unicode += string(character)
			} else {
				converted.Default += "_"
				converted.Unicode += fmt.Sprintf("_U%04x_", character)
			}
		}
		tables.Converted = append(tables.Converted, converted)
	}
	return tables
}

func kept(character rune) bool {
	return unicode.IsLetter(character) || unicode.IsNumber(character) || strings.ContainsRune("-._", character)
}

// A value as each decoding strategy leaves it, in base64. Absent where it refuses.
type decoding struct {
	Value     string  `json:"value"`
	Base64    *string `json:"base64"`
	Base64URL *string `json:"base64url"`
	Auto      string  `json:"auto"`
}

func decodingVectors() []decoding {
	var vectors []decoding
	for _, value := range []string{
		"", "Z3JlYXQtbmFtZQ==", "Z3JlYXQtbmFtZQ", "Z3JlYXQt\r\nbmFtZQ==\n", "\nZ3Jl\n", "YR==", "YQ=", "YQ", "YQ==YQ==", "YQ==\n", "Y\nQ=\n=", "foo", "test", "test ", " test", "te st", "te\tst", "8J+YgA==", "8J-YgA==", "8J_YgA==", "8J+Y-A==", "8J/_gA==",
		"plain text", "=", "==", "====", "a===", "ab==c", "/w==", "_w==", "-_-_", "+/+/", "AP8=", "\u00e9", "YWJj\x00", "password", "hunter22",
	} {
		standard, standardErr := base64.StdEncoding.DecodeString(value)
		url, urlErr := base64.URLEncoding.DecodeString(value)
		vector := decoding{Value: value, Auto: base64.StdEncoding.EncodeToString([]byte(value))}
		if urlErr == nil {
			encoded := base64.StdEncoding.EncodeToString(url)
			vector.Base64URL, vector.Auto = &encoded, encoded
		}
		if standardErr == nil {
			encoded := base64.StdEncoding.EncodeToString(standard)
			vector.Base64, vector.Auto = &encoded, encoded
		}
		vectors = append(vectors, vector)
	}
	return vectors
}
