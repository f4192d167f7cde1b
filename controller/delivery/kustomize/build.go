package main

import (
	"fmt"
	"regexp"
	"slices"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// build runs one request. kustomize panics on some malformed input (fluxcd/pkg kustomize, Build recovers too); a panic
// is an answer like any other error.
func build(r *request) (result answer) {
	files, err := newTree(r.Files, r.contents)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer func() {
		if cause := recover(); cause != nil {
			result = answer{Error: fmt.Sprintf("kustomize panicked: %v", cause)}
		}
		result = settle(files, result)
	}()
	directory := absolute(r.Path)
	if !files.IsDir(directory) {
		return answer{Error: fmt.Sprintf("there is no directory %q", r.Path)}
	}
	if err := r.Overlay.write(files, directory); err != nil {
		return answer{Error: err.Error()}
	}
	documents, err := run(files, directory)
	if err != nil {
		return answer{Error: withoutQuotes(err.Error())}
	}
	return answer{Documents: documents}
}

// settle gives a file that was not sent, and an exhausted budget, precedence over whatever kustomize made of the error:
// it tries other readings of a path, and what it says then is about the last one.
func settle(files *tree, result answer) answer {
	switch {
	case files.exhausted:
		return answer{Error: errBudget.Error()}
	case len(files.needed) > 0:
		slices.Sort(files.needed)
		return answer{Need: slices.Compact(files.needed)}
	default:
		return result
	}
}

func run(files *tree, directory string) ([]string, error) {
	// The schema is global in kustomize, and a kustomization file may replace it: one build must not see another's.
	openapi.ResetOpenAPI()
	_ = openapi.Schema()
	defer openapi.ResetOpenAPI()

	kustomizer := krusty.MakeKustomizer(&krusty.Options{
		LoadRestrictions: types.LoadRestrictionsNone,
		PluginConfig:     types.DisabledPluginConfig(),
	})
	resources, err := kustomizer.Run(files, directory)
	if err != nil {
		return nil, err
	}
	documents := make([]string, 0, resources.Size())
	for _, resource := range resources.Resources() {
		document, err := resource.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("cannot write %s: %w", resource.CurId(), err)
		}
		documents = append(documents, string(document))
	}
	return documents, nil
}

// quoted finds what kustomize quotes when it cannot read a patch or a plugin's configuration: it may hold a value of a
// Secret. The configuration is between backticks, which it may contain itself, hence up to the last one.
var quoted = []*regexp.Regexp{
	regexp.MustCompile("(?s)with config: `.*`"),
	regexp.MustCompile(`(?s)\[patch: ".*"\]`),
}

func withoutQuotes(message string) string {
	for _, pattern := range quoted {
		message = pattern.ReplaceAllString(message, "(left out)")
	}
	return message
}
