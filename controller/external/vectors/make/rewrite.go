package main

import (
	"bytes"
	"regexp"
	"strings"
	"text/template"
)

// A key as `rewrite.regexp` leaves it. Result is absent where Go does not take the expression.
type rewrite struct {
	Source string  `json:"source"`
	Target string  `json:"target"`
	Key    string  `json:"key"`
	Result *string `json:"result"`
}

var sources = []string{
	"(.*)", ".*", ".+", "", "^", "$", "a", "(a)(b)?", "(?P<whole>.+)", "(?<whole>.+)", `^my/(?P<app>[^/]+)/(.*)$`, "my/(.*?)/", "/", "[/-]",
	`\w+`, `\W+`, `\d+`, `\D`, `\s+`, `\bfoo\b`, `\Bo`, `[[:word:]]+`, `[[:^alpha:]]+`, `[\w-]+`, `[^\w]`, `\pL+`, `\p{Greek}+`, `\PN`,
	"(?i)FOO", "(?i)straße", "(?i)k", "(?s).+", "(?m)^.", "(?U)a+", "(?i:F)oo", "(?x) a b", "(?u)a", "(?R)a",
	`\Qa.b*c\E`, `\Qa.b`, `\x41`, `\x{1F600}`, `\101`, `\1`, `\z`, `\Z`, `\A.`, `\G`, `\C`, `\h`, `\_`, `\-`, `\/`, `\é`,
	"a{2}", "a{2,}", "a{,2}", "a{", "a{2", "{", "}", "]", "[]a]", "[^]a]", "[a-]", "[a&&b]", "[a[b]", "[z-a]", "[[.a.]]", "[[:foo:]]", "a{1001}", "a{1000}", "a**", "a*+", "a*?", "a??", "*a", "(a", "a)", "[a", `a\`,
	"a|b", "(|a)+", "(?:)", "(?=a)", "(?!a)", "(?P<1a>b)", "(?P<n>a)(?P<n>b)", "(?P=n)", "x*", "é", "[é-ü]", ".", "#", "a#b", " ", "a b", "~", "[~~]", "[a--b]", "(?P<a-b>c)", "(?P<é>c)", "(?P<>c)", "(?P<n", `\p{^Greek}+`, `\P{Lu}+`, `[\p{Lu}x]+`, `\pN{2}`, `\x{41}{2}`, `\p{Foo}`, `\x{110000}`, `\x4`, "[[:alpha:][:digit:]]+", "[[:alpha]+", "(?P<a>f)(?P<b>o)", "(?:a)(b)",
}

var targets = []string{
	"$1", "${1}", "x_$1", "$1_x", "${1}_x", "$0", "$2", "$whole", "${whole}_1", "$app.$2", "$$", "$$1", "$", "a$", "${", "${1", "${}", "${a-b}", "$é", "${é}", "$-1", "$ 1", "$10", "${01}", "$01", "", "literal", `\1`, "-",
}

var keys = []string{
	"foo", "", "my/app/db/password", "a", "aab", "foo bar", "foo-bar_1.baz", "Straße-STRASSE", "kK\u212a", "éa", "αβγ", "a\nb", "a.b*c", "12 34", "😀x", "a{", "{2}]", "x#y", "a b", "A", "\\", "~-&",
}

func rewriteVectors() []rewrite {
	var vectors []rewrite
	add := func(source, target, key string) {
		vector := rewrite{Source: source, Target: target, Key: key}
		if expression, err := regexp.Compile(source); err == nil {
			result := expression.ReplaceAllString(key, target)
			vector.Result = &result
		}
		vectors = append(vectors, vector)
	}
	for _, source := range sources {
		if _, err := regexp.Compile(source); err != nil {
			add(source, "<$0>", "foo")
			continue
		}
		for _, key := range keys {
			add(source, "<$0>", key)
		}
	}
	for _, source := range []string{"(.*)", "(a)(b)?", "(?P<whole>.+)", `^my/(?P<app>[^/]+)/(.*)$`, "(?P<é>o)"} {
		for _, target := range targets {
			for _, key := range keys[:6] {
				add(source, target, key)
			}
		}
	}
	return vectors
}

// A key as `rewrite.transform` leaves it.
type transform struct {
	Template string  `json:"template"`
	Key      string  `json:"key"`
	Result   *string `json:"result"`
}

var transforms = []string{
	"{{ .value }}", "{{.value | upper}}", "x-{{ .value }}-y", "{{ .missing }}", "{{ .missing }}{{ .value }}", "{{ if .missing }}a{{ else }}b{{ end }}",
	"{{ with .missing }}a{{ else }}{{ $.value }}{{ end }}", "{{ .missing.more }}", `{{ index . "value" }}`, `{{ index . "missing" }}`, "{{ .Value }}",
	"{{ .missing | printf \"%v\" }}", "{{ .missing | upper }}", "{{ len .missing }}", "{{ eq .missing .value }}", "{{ . }}", "{{ len .value }}",
	"{{ printf \"%q\" .value }}", "{{ range . }}{{ . }}{{ end }}", "{{ range $k, $v := . }}{{ $k }}={{ $v }}{{ end }}",
	"{{- .value -}} ", "", "constant", "{{ .value", "{{ .value | nothing }}", "{{ fail }}", "[[ .value ]]",
	`{{ replace "/" "_" .value }}`, "{{ .value | lower | printf \"p_%s\" }}", `{{ trimPrefix "my/" .value }}`, "{{ not .missing }}", "{{ .missing | print }}", "{{ or .missing .value }}", "{{ and .missing .value }}",
}

func transformVectors() []transform {
	functions := template.FuncMap{
		"upper":      strings.ToUpper,
		"lower":      strings.ToLower,
		"replace":    func(old, replacement, text string) string { return strings.ReplaceAll(text, old, replacement) },
		"trimPrefix": func(prefix, text string) string { return strings.TrimPrefix(text, prefix) },
	}
	var vectors []transform
	for _, source := range transforms {
		for _, key := range []string{"my/db/User", "a"} {
			vector := transform{Template: source, Key: key}
			var text bytes.Buffer
			// Without an option for keys that are not there, and with Go's own delimiters, as the incumbent.
			parsed, err := template.New("transform").Funcs(functions).Parse(source)
			if err == nil && parsed.Execute(&text, map[string]string{"value": key}) == nil {
				result := text.String()
				vector.Result = &result
			}
			vectors = append(vectors, vector)
		}
	}
	return vectors
}
