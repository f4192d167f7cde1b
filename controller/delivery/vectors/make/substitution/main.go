// Command substitution writes what Flux's own library makes of texts with variables, for the tests:
//
//	cd controller/delivery/vectors/make && go run ./substitution > ../substitution.json
package main

import (
	"encoding/json"
	"os"

	"github.com/fluxcd/pkg/envsubst"
)

// vector is one text with what becomes of it, strictly (an unset variable is an error) or not.
type vector struct {
	Text   string `json:"text"`
	Strict bool   `json:"strict"`
	Result string `json:"result"`
	Failed bool   `json:"failed"`
	// Crashed says that the library panicked, as it does on some lengths before v1.9: there is nothing to compare with.
	Crashed bool `json:"crashed,omitempty"`
}

func evaluate(text string, strict bool) (made vector) {
	made = vector{Text: text, Strict: strict}
	defer func() { made.Crashed = recover() != nil }()
	result, err := envsubst.Eval(text, func(name string) (string, bool) {
		value, exists := variables[name]
		return value, exists || !strict
	})
	if err != nil {
		made.Failed = true
		return made
	}
	made.Result = result
	return made
}

var variables = map[string]string{
	"name": "Signet", "empty": "", "path": "/usr/local/lib/a.tar.gz", "word": "aaabbb", "star": "a*b",
	"_under": "u", "x1": "one", "unicode": "éàü", "slash": "a/b/c", "cluster": "prod-eu-1", "dollar": "$name",
	"lower": "shop", "upper": "SHOP", "number": "42", "spaces": "a b",
}

var texts = []string{
	"", "plain", "$", "$$", "$$$", "$name", "${name}", "$${name}", "$$${name}", "a${name}b", "${name}${name}", "${unset}",
	"${empty}", "${_under}${x1}", "{name}", "$ {name}", "${ name}", "${name }", "${", "${name", "${}", "${-}", "${a.b}", "${a-b}",
	"${name-x}", "${name+x}", "${name?x}", "${name=x}", "${unset=x}", "${empty=x}", "${name:=x}", "${unset:=x}", "${empty:=x}",
	"${name:-x}", "${unset:-x}", "${empty:-x}", "${unset:-}", "${unset:=}", "${unset:+x}", "${name:+x}", "${unset:?x}", "${name:?x}",
	"${unset:-a b}", "${unset:-a:b}", "${unset:-a/b}", "${unset:-$}", "${unset:-$$}", "${unset:-${name}}", "${unset:-a${name}b}",
	"${unset:-${other:-deep}}", "${unset:-${other}}", "${unset:-${name}${number}}", "${unset:-a${name}", "${unset:-}}", "${unset:-\\}}",
	"${#name}", "${#empty}", "${#unset}", "${#unicode}", "${#}", "${#name:-x}", "${name^}", "${name^^}", "${name,}", "${name,,}",
	"${lower^}", "${upper,}", "${unicode^^}", "${unset^}", "${name^^^}", "${name,^}", "${empty^}",
	"${name:0}", "${name:2}", "${name:2:2}", "${name:-2}", "${name: -2}", "${name:9}", "${name:0:99}", "${name:1:-1}", "${name:4:-4}",
	"${name:x}", "${name:1:x}", "${name:}", "${name::}", "${name:1:}", "${name:${number}}", "${word:${unset:-2}}", "${unset:1}",
	"${path#*/}", "${path##*/}", "${path%.*}", "${path%%.*}", "${path#/usr}", "${path#x}", "${path#}", "${path##}", "${path%}",
	"${word#a}", "${word#a*}", "${word##a*}", "${word%b*}", "${word%%b*}", "${word#a?}", "${word#[a-c]}", "${word#[}", "${word%[b]}",
	"${star#a\\*}", "${star#a*}", "${word#${unset:-aa}}", "${unset#a}", "${empty#a}", "${unicode#é}", "${unicode%ü}",
	"${name/i/I}", "${name/i}", "${name/i/}", "${word/a/x}", "${word//a/x}", "${word//a/}", "${word//a}", "${word/#a/x}", "${word/%b/x}",
	"${word/#b/x}", "${word/%a/x}", "${slash/\\//-}", "${slash//\\//-}", "${slash////-}", "${slash//\\//\\/}", "${name/S/\\\\}",
	"${name/${unset:-S}/x}", "${name/S/${lower}}", "${name/S/$$}", "${name/$$/x}", "${dollar/$$/x}", "${unset/a/b}", "${name/",
	"${name//", "${name/}", "${name//}", "${name/S", "${name/S/", "${spaces// /-}", "${spaces/a b/x}",
	"${dollar}", "a$b", "a$$b$$$$c", "$${", "$${unset}", "$$${unset:-x}", "${cluster%%-*}", "${cluster#*-}", "${1}", "${1a}", "${a1:-x}",
	"key: \"${name}\"\nother: ${number}\n", "if [ -z \"$${x}\" ]; then echo $y; fi", "${name:2:${number}}", "${name:${unset:-1}:${unset:-2}}",
	"${é:-x}", "${name:=${unset:=a}b}", "${name:?}", "${unset:?}", "${name}\n${unset:-\n}", "${unset:-a\nb}",
}

func main() {
	var vectors []vector
	for _, strict := range []bool{true, false} {
		for _, text := range texts {
			vectors = append(vectors, evaluate(text, strict))
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"variables": variables, "vectors": vectors}); err != nil {
		panic(err)
	}
}
