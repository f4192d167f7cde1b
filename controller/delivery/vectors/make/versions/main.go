// Command versions writes which versions Masterminds' semver, which Flux uses, finds in which ranges, for the tests:
//
//	cd controller/delivery/vectors/make && go run ./versions > ../versions.json
package main

import (
	"encoding/json"
	"os"

	"github.com/Masterminds/semver/v3"
)

// ranged is one range with the versions that are in it; failed if it is none.
type ranged struct {
	Range  string   `json:"range"`
	Failed bool     `json:"failed"`
	Holds  []string `json:"holds"`
}

var versions = []string{
	"0.0.0", "0.0.1", "0.0.3", "0.0.4", "0.1.0", "0.2.0", "0.2.3", "0.2.9", "0.3.0", "1.0.0", "1.0.1", "1.1.0", "1.2.0", "1.2.3",
	"1.2.4", "1.2.9", "1.3.0", "1.4.5", "1.9.9", "2.0.0", "2.1.0", "3.0.0", "10.0.0", "11.1.0", "11.1.1", "11.2.1", "12.0.0",
	"1.2.3-alpha", "1.2.3-alpha.1", "1.2.3-beta.2", "1.2.3-rc.11", "1.2.3-rc.2", "1.3.0-0", "2.0.0-rc1", "1.2.3+build", "0.0.0-a",
}

var ranges = []string{
	"", " ", "*", "x", "X", "1", "1.x", "1.X", "1.*", "1.2", "1.2.x", "1.2.3", "v1.2.3", "=1.2.3", "= 1.2.3", "!=1.2.3", "!=1.2", "!=1",
	"!=1.x", "!=*", ">1.2.3", ">1.2", ">1", ">11", ">11.1", ">*", ">=1.2.3", "=>1.2.3", ">=1.2", ">=1", "<1.2.3", "<1.2", "<1",
	"<=1.2.3", "=<1.2.3", "<=1.2", "<=1", "<=*", "~1.2.3", "~1.2", "~1", "~1.x", "~*", "~0.0.0", "~0", "~0.2", "~>1.2.3", "~>1.2",
	"^1.2.3", "^1.2", "^1", "^1.x", "^0.2.3", "^0.2", "^0.0.3", "^0.0", "^0", "^*", ">=1.0.0 <2.0.0", ">=1.0.0, <2.0.0", ">=1.0.0,<2.0.0",
	">=1.0.0<2.0.0", "1.0.0 || 2.0.0", "<1.0.0 || >=2.0.0", "<1.0.0||>=2.0.0", ">=1 !=1.2.3 <2", "1.2 - 1.4.5", "1.2.0 - 1.4", "1 - 2",
	"1.2 -1.4", "1.2- 1.4", ">1.2 - 1.4", "1.2 - 1.4 || 3.0.0", ">=1.2.3-0", ">=1.2.3-alpha", "~1.2.3-beta", "^1.2.3-alpha", "1.2.3-rc.2",
	"!=1.2.3-alpha", "<1.2.3-rc.2", ">1.2.3-alpha <2.0.0", ">=1.0.0-0 <2.0.0", ">=1.0.0-0 <2.0.0 || >10", "<=1.2.3-rc.11", "*-0", "1.x-0",
	"1.2.x-alpha", "1.2.3+build", ">1.2.3+build", ">=", "abc", "1.2.3.4", "1.", ".1", "1..2", "|| 1", "1 ||", "1 | 2", "1,2", "1, 1.2", "1x",
	"01.2.3", "1.02", ">> 1", "> = 1", "~ 1.2", "^  1.2", "  1.2.3  ", ">=1.0.0  <2.0.0", ",1", "1,", "99999999999999999999",
}

func main() {
	var all []ranged
	for _, text := range ranges {
		made := ranged{Range: text, Holds: []string{}}
		constraint, err := semver.NewConstraint(text)
		made.Failed = err != nil
		for _, version := range versions {
			if err == nil && constraint.Check(semver.MustParse(version)) {
				made.Holds = append(made.Holds, version)
			}
		}
		all = append(all, made)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(map[string]any{"versions": versions, "ranges": all}); err != nil {
		panic(err)
	}
}
