package main

import (
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// overlay is what a Flux Kustomization adds to the kustomization file of its path (fluxcd/pkg kustomize
// kustomize_generator.go, GenerateManifest). commonMetadata and postBuild come after the build and are not here.
type overlay struct {
	// Resources makes the kustomization file where the directory has none; relative to the directory.
	Resources               []string `json:"resources"`
	TargetNamespace         string   `json:"targetNamespace"`
	NamePrefix              string   `json:"namePrefix"`
	NameSuffix              string   `json:"nameSuffix"`
	Patches                 []patch  `json:"patches"`
	Images                  []image  `json:"images"`
	Components              []string `json:"components"`
	IgnoreMissingComponents bool     `json:"ignoreMissingComponents"`
	BuildMetadata           []string `json:"buildMetadata"`
}

type patch struct {
	Patch  string    `json:"patch"`
	Target *selector `json:"target"`
}

type selector struct {
	Group              string `json:"group"`
	Version            string `json:"version"`
	Kind               string `json:"kind"`
	Name               string `json:"name"`
	Namespace          string `json:"namespace"`
	LabelSelector      string `json:"labelSelector"`
	AnnotationSelector string `json:"annotationSelector"`
}

type image struct {
	Name    string `json:"name"`
	NewName string `json:"newName"`
	NewTag  string `json:"newTag"`
	Digest  string `json:"digest"`
}

// write puts the kustomization file with the overlay into the tree.
func (o overlay) write(files *tree, directory string) error {
	name, found := kustomizationFile(files, directory)
	kustomization := types.Kustomization{
		TypeMeta: types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
	}
	if found {
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		if err := yaml.Unmarshal(content, &kustomization); err != nil {
			return fmt.Errorf("cannot parse %s: %w", strings.TrimPrefix(name, "/"), err)
		}
		if len(kustomization.Resources) == 0 {
			// As Flux: without it kustomize refuses a kustomization file with nothing but generators as empty.
			kustomization.BuildMetadata = []string{types.OriginAnnotations}
		}
	} else {
		name = path.Join(directory, konfig.DefaultKustomizationFileName())
		kustomization.Resources = o.Resources
		if len(o.Resources) == 0 {
			kustomization.Namespace = "_placeholder"
		}
	}
	if err := o.edit(&kustomization, files, directory); err != nil {
		return err
	}
	content, err := yaml.Marshal(kustomization)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", strings.TrimPrefix(name, "/"), err)
	}
	files.replace(name, content)
	return nil
}

func kustomizationFile(files *tree, directory string) (string, bool) {
	for _, candidate := range konfig.RecognizedKustomizationFileNames() {
		name := path.Join(directory, candidate)
		if files.Exists(name) && !files.IsDir(name) {
			return name, true
		}
	}
	return "", false
}

func (o overlay) edit(kustomization *types.Kustomization, files *tree, directory string) error {
	if o.TargetNamespace != "" {
		kustomization.Namespace = o.TargetNamespace
	}
	if o.NamePrefix != "" {
		kustomization.NamePrefix = o.NamePrefix
	}
	if o.NameSuffix != "" {
		kustomization.NameSuffix = o.NameSuffix
	}
	for _, p := range o.Patches {
		kustomization.Patches = append(kustomization.Patches, types.Patch{Patch: p.Patch, Target: p.Target.adapt()})
	}
	for _, component := range o.Components {
		if !isLocal(component) {
			return fmt.Errorf("component path '%s' must be local and relative", component)
		}
		if o.IgnoreMissingComponents && !files.Exists(path.Join(directory, component)) {
			continue
		}
		kustomization.Components = append(kustomization.Components, component)
	}
	for _, i := range o.Images {
		i.merge(kustomization)
	}
	if len(o.BuildMetadata) > 0 {
		kustomization.BuildMetadata = o.BuildMetadata
	}
	return nil
}

func (s *selector) adapt() *types.Selector {
	if s == nil {
		return nil
	}
	result := &types.Selector{LabelSelector: s.LabelSelector, AnnotationSelector: s.AnnotationSelector}
	result.Group, result.Version, result.Kind = s.Group, s.Version, s.Kind
	result.Name, result.Namespace = s.Name, s.Namespace
	return result
}

// merge overrides an image of the kustomization file by name, or adds it. Tag and digest replace each other.
func (i image) merge(kustomization *types.Kustomization) {
	for index := range kustomization.Images {
		existing := &kustomization.Images[index]
		if existing.Name != i.Name {
			continue
		}
		if i.NewName != "" {
			existing.NewName = i.NewName
		}
		if i.NewTag != "" || i.Digest != "" {
			existing.NewTag, existing.Digest = i.NewTag, i.Digest
		}
		return
	}
	kustomization.Images = append(kustomization.Images,
		types.Image{Name: i.Name, NewName: i.NewName, NewTag: i.NewTag, Digest: i.Digest})
}

// isLocal tells a path in this repository from a remote base. An absolute path is no path of a repository.
func isLocal(name string) bool {
	return name != "" && !path.IsAbs(name) && !strings.Contains(name, "://") && !strings.Contains(name, "?") &&
		!strings.Contains(name, ":")
}
