package main

import (
	"text/template"

	upstream "golden/eso/v2"
)

const (
	dialect    = "eso"
	missingKey = "error"
)

// The map itself, from the sources that generate.sh puts into v2/.
func functions() template.FuncMap {
	return upstream.Functions()
}
