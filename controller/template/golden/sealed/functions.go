package main

import (
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

const (
	dialect    = "sealed"
	missingKey = "default"
)

// As in pkg/apis/sealedsecrets/v1alpha1/sealedsecret_expansion.go of sealed-secrets.
func functions() template.FuncMap {
	all := sprig.GenericFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(all, name)
	}
	return all
}
