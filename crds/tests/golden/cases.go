package main

import (
	"fmt"
	"math/rand"
	"strings"
)

type input struct{ name, input string }

// handwritten are the corners of YAML that people meet in manifests.
func handwritten() []input {
	return []input{
		{"booleans of YAML 1.1", "[y, Y, yes, Yes, YES, on, On, ON, true, True, TRUE, n, N, no, No, NO, off, Off, OFF, false, False, FALSE]"},
		{"what only looks like a boolean", "[yEs, oN, 'yes', \"no\", yess, nope, tRUE, t, f, o]"},
		{"null forms", "a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: nULL\ng: ''\nh: \"null\"\ni: !!null x\n"},
		{"null forms without the wrong tag", "a:\nb: ~\nc: null\nd: Null\ne: NULL\nf: nULL\ng: ''\nh: \"null\"\ni: !!null ''\n"},
		{"octal of YAML 1.1 and of YAML 1.2", "[0644, 0o10, 0O10, 00, 0, 089, 0_7, -010, +010, 08, 09.5, 0o8]"},
		{"hexadecimal and binary", "[0x1F, 0X1f, -0x1F, +0x10, 0x, 0xg, 0b101, -0b11, 0B1, 0b, 0b2, 0x1_F]"},
		{"underscores", "[1_000, 1__0, _1, 1_, 1_000.5, 0_, +_1, 1_e3, .1_2, ._1, .1_, .1__2, .1_e1]"},
		{"exponents", "[1e3, 1E3, 1e+3, 1e-3, 1.e3, .5e1, 1e, e1, 1e400, -1e400, 1e21, 12e03, 1e3.5]"},
		{"floats", "[1.0, 1.5, -1.5, +1.5, .5, -.5, +.5, 5., ., .., -., 1.2.3, 0.1, 1.0e0, 100000000000000000000.0, 1e15, 123456.789]"},
		{"infinity", "a: .inf"},
		{"not a number", "a: .nan"},
		{"infinity quoted", "['.inf', .infinity, inf, nan, .NAN_]"},
		{"big integers", "[9223372036854775807, 9223372036854775808, 18446744073709551615, -9223372036854775808]"},
		{"integers beyond 64 bits", "[18446744073709551616, -9223372036854775809, 123456789012345678901234567890]"},
		{"signs", "[+1, -1, - , +, ++1, --1, +-1, -0, +0, -0.0]"},
		{"dates and times", "[2001-01-01, 2001-1-1, 2001-13-01, 2001-12-14t21:59:43.10-05:00, 2001-12-14 21:59:43.10, 12:30:45, 1:2, 2001-02-30]"},
		{"versions and addresses", "[1.20, 1.2.3, 10.0.0.0/8, 1.1.1.1, v1, 1h, 5m30s, 100m, 1Gi, 0.5Gi, 1k, 1e3k]"},
		{"binary", "a: !!binary aGVsbG8=\nb: !!binary |\n  aGVs\n  bG8=\n"},
		{"binary that is not base64", "a: !!binary '***'"},
		{"binary that is no text", "a: !!binary /w==\n"},
		{"tags of scalars", "[!!str 1, !!str true, !!str null, !!int 1, !!int '1', !!float 1, !!float '1.5', !!bool yes, !!timestamp 2001-01-01, ! 1, ! '1', !foo 1, !foo true, !!merge <<]"},
		{"integer tag on text", "a: !!int x"},
		{"boolean tag on text", "a: !!bool x"},
		{"float tag on text", "a: !!float x"},
		{"integer tag on a float", "a: !!int 1.5"},
		{"tags of collections", "a: !!map {x: 1}\nb: !!seq [1]\nc: !thing {x: 1}\nd: !!set {x, y}\ne: !!omap [x: 1]\n"},
		{"quoted scalars", `[ '1', "true", 'a''b', "a\tb\n\x41\u00e9\U0001F600", "\e\0\a\_\N\L\P" ]`},
		{"escaped slash", `a: "\/"`},
		{"keys that are no texts", "1: a\ntrue: b\n1.5: c\nno: d\n0x10: e\n1e3: f\n2001-01-01: g\n-1: h\n"},
		{"keys that are floats", "1234567.5: a\n0.1: b\n1e21: c\n.5: d\n1.0: e\n-2.5e-7: f\n16777217.5: g\n"},
		{"null key", "~: a"},
		{"empty key", ": a"},
		{"unsigned key", "18446744073709551615: a"},
		{"sequence key", "[a]: b"},
		{"mapping key", "{a: b}: c"},
		{"infinite key", ".inf: a\n-.inf: b\n"},
		{"anchors and aliases", "a: &x {k: [1, 2]}\nb: *x\nc: &y text\n*y : d\ne: [*x, *y]\n"},
		{"anchor redefined", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n"},
		{"anchor of nothing", "a: &x\nb: *x\n"},
		{"unknown alias", "a: *x"},
		{"alias to itself", "a: &x [*x]"},
		{"merge", "base: &b {a: 1, b: 2}\nuse:\n  <<: *b\n  c: 3\n"},
		{"merge inline", "use:\n  <<: {a: 1}\n  b: 2\n"},
		{"merge of several", "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nuse:\n  <<: [*x, *y]\n  d: 4\n"},
		{"merge overridden by a later key", "base: &b {a: 1}\nuse:\n  <<: *b\n  a: 2\n"},
		{"merge after the key", "base: &b {a: 1}\nuse:\n  a: 2\n  <<: *b\n"},
		{"merge of a merge", "x: &x {a: 1}\ny: &y {<<: *x, b: 2}\nuse: {<<: *y}\n"},
		{"merge of no mapping", "a: {<<: 1}"},
		{"merge of a sequence of no mappings", "a: {<<: [1]}"},
		{"merge of null", "a: {<<: }"},
		{"quoted merge key", "a: {'<<': {b: 1}}"},
		{"merge key as value", "a: <<"},
		{"duplicate key", "a: 1\nb: 2\na: 3\n"},
		{"duplicate key deep inside", "a: [{b: 1, b: 2}]"},
		{"literal blocks", "a: |\n  x\n   y\n\nb: |-\n  x\n\nc: |+\n  x\n\nd: |2\n    x\n"},
		{"folded blocks", "a: >\n  x\n  y\n\n  z\n   indented\nb: >-\n  x\n\n"},
		{"literal block at the end of the text", "a: |\n  x"},
		{"folded block at the end of the text", "a: >\n  x"},
		{"kept block at the end of the text", "a: |+\n  x"},
		{"literal block with an empty line", "a: |\n  x\n  \n  y\nb: 1\n"},
		{"literal block with a tab", "a: |\n  x\n  \ty\n"},
		{"several lines", "a: x\n  y\n\n  z\nb: \"x\n  y\\\n  z\"\nc: 'x\n\n  y'\n"},
		{"windows line ends", "a: 1\r\nb: |\r\n  x\r\n  y\r\n"},
		{"flow over lines", "a: [1,\n  2, {x: y,\n  z: }]\n"},
		{"trailing commas", "a: [1, 2,]\nb: {x: 1,}\n"},
		{"flow of pairs", "[a: 1, b: 2]"},
		{"colons inside", "[a:b, http://x/y, 'a: b', ::, a:]"},
		{"comments", "# one\na: 1 # two\n# three\nb: x#y\nc: 'z' # four\n"},
		{"explicit keys", "? a\n: 1\n? b\n"},
		{"document markers", "---\na: 1\n...\n"},
		{"directive", "%YAML 1.1\n---\na: 1\n"},
		{"text after the marker", "--- {a: 1}"},
		{"tab as indentation", "a:\n\tb: 1\n"},
		{"tab after the colon", "a:\tb\n"},
		{"JSON", "{\n\t\"a\": [1, 2.0, true, null],\n\t\"b\": \"x\\u00e9\"\n}\n"},
		{"JSON numbers", "{\"a\": 1.0, \"b\": 1e3, \"c\": -0, \"d\": 1.5e300, \"e\": 12345678901234567890}"},
		{"JSON without spaces", "{\"a\":\"b\",\"c\":{\"d\":[]}}"},
		{"JSON duplicate key", "{\"a\": 1, \"a\": 2}"},
		{"empty", ""},
		{"comment alone", "# nothing\n"},
		{"marker alone", "---\n"},
		{"scalar alone", "hello"},
		{"sequence at the margin", "a:\n- 1\n- b: 2\n  c: 3\n-\n  - x\n"},
		{"sequences in sequences", "- - 1\n  - 2\n-\n  - 3\n"},
		{"unicode", "é: ü\n日本: \"\\u65e5\"\nemoji: 😀\n"},
		{"byte order mark", "\ufeffa: 1\n"},
		{"control character", "a: \x01\n"},
		{"control character quoted", "a: \"\x01\"\n"},
		{"delete character", "a: x\x7fy\n"},
		{"next line character", "a: x\u0085  y\n"},
		{"line separator", "a: \"x\u2028y\"\n"},
		{"unclosed quote", "a: \"x\n"},
		{"unclosed bracket", "a: [1\n"},
		{"bad indentation", "a: 1\n  b: 2\n"},
		{"mapping in a scalar", "a: b: c\n"},
		{"reserved characters", "a: @x\n"},
		{"percent", "a: %x\n"},
		{"question mark and dash", "[?x, -x, '?']"},
		{"long key", strings.Repeat("k", 1200) + ": 1\n"},
		{"template of a chart", "a: {{ .Values.x }}\n"},
		{"a Secret", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\n  creationTimestamp: null\ntype: Opaque\ndata:\n  password: c3VwZXJzZWNyZXQ=\nstringData:\n  on: off\n  port: 5432\n  mode: 0400\n"},
		{"fifty of a list", "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a]\nc: *b\n"},
	}
}

// scalars are made of the pieces that decide what a scalar is.
func scalars(random *rand.Rand) []input {
	pieces := []string{
		"0", "1", "7", "8", "9", "12", "00", "0x", "0o", "0b", "e", "E", "e+", "e-", ".", "-", "+", "_", ":", "T", "Z",
		"2001", "-01", "-1", " ", "a", "f", "y", "n", "yes", "no", "on", "off", "true", "null", "~", "inf", "nan", "<<", "!",
	}
	var inputs []input
	for i := range 1200 {
		var text strings.Builder
		for range 1 + random.Intn(5) {
			text.WriteString(pieces[random.Intn(len(pieces))])
		}
		scalar := text.String()
		if i%3 == 0 {
			inputs = append(inputs, input{fmt.Sprintf("scalar %d", i), "a: " + scalar + "\n"})
		} else {
			inputs = append(inputs, input{fmt.Sprintf("scalar %d", i), "- " + scalar + "\n"})
		}
	}
	return inputs
}
