package main

import (
	"math/rand"
	"strings"
)

type object = map[string]any
type list = []any

// values are what manifests contain, and what is hard to write.
func values() []any {
	long := strings.Repeat("word ", 40)
	return []any{
		object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": "db", "creationTimestamp": nil}, "data": object{"password": "c3VwZXJzZWNyZXQ="}},
		object{"a": list{}, "b": object{}, "c": nil, "d": true, "e": false, "f": ""},
		object{"a": list{list{1, 2}, list{}, list{object{}, object{"x": list{1}}}}},
		object{"a": list{object{"b": 1, "c": list{2, 3}}, object{"d": object{"e": "f"}}}},
		list{1, "a", list{2}, object{"b": 3}},
		object{"numbers": list{0, -1, 1.5, 1e21, 1e-7, 100000.5, 1000000.5, 9007199254740993, 1e15, 123456789.125}},
		object{"looks like": list{"1", "true", "yes", "null", "~", "0644", "1e3", "0x1F", "2001-01-01", "12:30:45", "1:2", ".5", "<<", "-", "y", "1_000", ".inf", "0b1", "1.2.3", "v1"}},
		object{"1": 1, "true": 2, "null": 3, "": 4, "no": 5, "a b": 6, "a: b": 7, "#": 8, "- a": 9, "1.5": 10},
		object{"a1": 1, "a2": 2, "a10": 3, "a01": 4, "A": 5, "a": 6, "_": 7, "-": 8, "a-b": 9, "a.b": 10, "ab": 11, "a_b": 12, "é": 13, "1": 14, "10": 15, "2": 16},
		object{"lines": list{"a\nb", "a\nb\n", "a\nb\n\n", "\na", " a\nb", "a\n b", "a \nb", "a\nb ", "\n", "\n\n", "a\n\tb", "a\r\nb", "a\n\nb\n"}},
		object{"quotes": list{"'", "\"", "it's", "a \"b\"", "\\", "a\\b", "'a'", "\"a\"", "`", "a: 'b'", "# it's", "{a}", "[a]", "a, b", "a #b", "a#b", "a:", ":a", "a:b", "?", "? a", "-a", "- a", "---", "--- a", "...", "!a", "&a", "*a", "|", ">", "%a", "@a", "a?", ",a"}},
		object{"odd": list{"a\tb", "\ta", "a\u0000b", "\u0001", "\u00a0", "\ufeff", "\ufffd", "é", "日本", "😀", "\u001b[0m", "a\rb"}},
		object{"spaces": list{" ", " a", "a ", "a  b", "  "}},
		object{"long": list{long, long + "x", "#" + long, "'" + long + ":", long + "\n" + long, strings.Repeat("x", 200), strings.Repeat("x", 79) + " y z", strings.Repeat("é", 79) + " y z", long + "\t" + long, long + "  " + long + "\t"}, "key": long + "end"},
		object{strings.Repeat("k", 128): 1, strings.Repeat("k", 129): 2, strings.Repeat("l", 129): list{1, object{"a": 1}}, strings.Repeat("m", 129): object{"a": 1}, strings.Repeat("n", 129): "text"},
		object{"a\nb": 1, "c\nd": list{1}, "e\nf ": object{"g": 1}},
		object{"deep": object{"deep": list{object{"deep": list{"a\nb", long}}}}},
		"text", 1, nil, true, list{}, object{}, "a\nb\n", long, "1",
	}
}

// generated are values of random shape and random texts.
func generated(random *rand.Rand) []any {
	var values []any
	for range 400 {
		values = append(values, object{"v": shape(random, 3), text(random): text(random)})
	}
	return values
}

func shape(random *rand.Rand, depth int) any {
	if depth == 0 {
		return text(random)
	}
	switch random.Intn(6) {
	case 0:
		items := list{}
		for range random.Intn(4) {
			items = append(items, shape(random, depth-1))
		}
		return items
	case 1, 2:
		entries := object{}
		for range random.Intn(4) {
			entries[text(random)] = shape(random, depth-1)
		}
		return entries
	case 3:
		return random.Intn(1000) - 500
	default:
		return text(random)
	}
}

func text(random *rand.Rand) string {
	pieces := []string{
		"a", "b", "Z", "é", "1", "0", "9", "10", " ", " ", "  ", "\n", "\t", ":", ": ", "#", " #", "-", "- ", "'", "\"", "\\", "{", "}", "[", "]", ",",
		"&", "*", "!", "|", ">", "%", "@", "`", "?", ".", "_", "true", "null", "~", "word", "some words and more ", "😀", "\u00a0",
	}
	var text strings.Builder
	for range random.Intn(7) {
		text.WriteString(pieces[random.Intn(len(pieces))])
	}
	if random.Intn(12) == 0 {
		text.WriteString(strings.Repeat(pieces[random.Intn(len(pieces))]+"some words ", 12))
	}
	return text.String()
}
