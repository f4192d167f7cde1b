package main

import (
	"strings"

	"github.com/tidwall/gjson"
)

type property struct {
	Document string `json:"document"`
	Property string `json:"property"`
	Exists   bool   `json:"exists"`
	Text     string `json:"text"`
}

func find(document, path string) gjson.Result {
	if strings.Contains(path, ".") {
		escaped := strings.ReplaceAll(path, ".", "\\.")
		if found := gjson.Get(document, escaped); found.Exists() {
			return found
		}
	}
	return gjson.Get(document, path)
}

var documents = []string{
	`{"name":{"first":"Tom","last":"Anderson"},"age":37,"children":["Sara","Alex","Jack"],"fav.movie":"Deer Hunter",
	"friends":[{"first":"Dale","last":"Murphy","age":44,"nets":["ig","fb","tw"]},{"first":"Roger","last":"Craig","age":68,"nets":["fb","tw"]},{"first":"Jane","last":"Murphy","age":47,"nets":["ig","tw"]}]}`,
	`{"a":1.50,"b":1e3,"c":12345678901234567890,"d":-0,"e":-7.25,"f":true,"g":false,"h":null,"i":"","j":{ "k" : [1,  2] },"l":[],"m":{},"n":1e400,"o":1E-7,"p":0.1}`,
	`{"quoted":"a\"b\\c\/d\n\u00e9\ud83d\ude00","lone":"\ud83dx","a*b":"star","a|b":"pipe","@type":"at","x#y":"hash","p?q":"mark","-":"dash","0":"zero","":"empty","tab\tkey":"tab","é":"accent","\u0061esc":"escaped key"}`,
	`{"foobar":{"baz":"nestedval"}}`, `{"foobar.baz":"nestedval","foobar":{"baz":"other"}}`,
	`[1,{"a":2},[3,4],"five"]`, `"just text"`, `42`, `null`, ``, `------`, `{"a":`, `{"a":"unfinished`, ` {"a" : "spaced" } `,
	`{"a":{"a":{"a":"deep"}},"dup":1,"dup":2}`, `{"ip":{"192.168.0.1":"host"},"user.name":{"first.name":"x"}}`,
}

var properties = []string{
	"name.first", "name.last", "age", "children", "children.#", "children.1", "children.7", "child*.2", "c?ildren.0", "fav.movie", `fav\.movie`,
	"friends.#.first", "friends.1.last", "friends.#", `friends.#(last=="Murphy").first`, `friends.#(last=="Murphy")#.first`, `friends.#(age>45)#.last`,
	`friends.#(first%"D*").last`, `friends.#(first!%"D*").last`, `friends.#(nets.#(=="fb"))#.first`, "friends.0.nets.2", "friends.9.first", "friends.1", "friends|#", "friends.#|0",
	"name", "nothing", "name.nothing", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "l", "m", "n", "o", "p", "j.k", "j.k.1", "j.k.#",
	"quoted", "lone", "a*b", "a|b", "@type", "x#y", "p?q", "-", "0", "tab\tkey", "é", "aesc", `a\*b`, `a\|b`, `\@type`, `p\?q`,
	"foobar.baz", "foobar", "1.a", "2.1", "3", "a.a", "a.a.a", "dup", "ip.192.168.0.1", `ip.192\.168\.0\.1`, "user.name.first.name", `user\.name.first\.name`,
	"@this", "@reverse", "children|@reverse", "children.@reverse.0", "@this.name.first", "name|@ugly", "name|@valid", "children.@flatten",
	"{name.first,age}", "[name.first,age]", `{"n":name.first}`, "*", "*.first", "", ".", "..", "a.", ".a", "#", "friends.#()", "friends.#()#", "friends.#().first", `friends.#(first=="Dale"`, "name.", "!",
}

// What the real gjson finds for a table of documents and paths, by the incumbent's rule: first the
// whole property with its dots escaped, then the property as a path.
func propertyVectors() []property {
	var vectors []property
	for _, document := range documents {
		for _, path := range properties {
			// The incumbent takes the whole value where no property is named.
			if path == "" {
				continue
			}
			found := find(document, path)
			vectors = append(vectors, property{document, path, found.Exists(), found.String()})
		}
	}
	return vectors
}
