package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// frame encodes a request as the controller does.
func frame(t *testing.T, path string, files [][2]string, added overlay) []byte {
	t.Helper()
	header := request{Path: path, Overlay: added}
	var contents []byte
	for _, file := range files {
		header.Files = append(header.Files, listed{Path: file[0], Size: int64(len(file[1]))})
		contents = append(contents, file[1]...)
	}
	body, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	framed := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	return append(append(framed, body...), contents...)
}

// ask runs one request through the whole program.
func ask(t *testing.T, path string, files [][2]string, added overlay) answer {
	t.Helper()
	var output bytes.Buffer
	if err := serve(bytes.NewReader(frame(t, path, files, added)), &output); err != nil {
		t.Fatal(err)
	}
	return decode(t, &output)
}

func decode(t *testing.T, output *bytes.Buffer) answer {
	t.Helper()
	length := binary.BigEndian.Uint32(output.Next(4))
	var result answer
	if err := json.Unmarshal(output.Next(int(length)), &result); err != nil {
		t.Fatal(err)
	}
	return result
}

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: b\n"

func TestAnOverlayOfABaseIsBuilt(t *testing.T) {
	result := ask(t, "prod", [][2]string{
		{"base/kustomization.yaml", "resources: [settings.yaml]\n"},
		{"base/settings.yaml", configMap},
		{"prod/kustomization.yaml", "resources: [../base]\nnamespace: prod\n"},
	}, overlay{})
	if result.Error != "" || len(result.Documents) != 1 || !strings.Contains(result.Documents[0], "namespace: prod") {
		t.Fatalf("%+v", result)
	}
}

func TestTwoRequestsOnOnePipeDoNotSeeEachOther(t *testing.T) {
	input := frame(t, "", [][2]string{{"kustomization.yaml", "resources: [a.yaml]\n"}, {"a.yaml", configMap}}, overlay{})
	input = append(input, frame(t, "", [][2]string{{"kustomization.yaml", "resources: [a.yaml]\n"}}, overlay{})...)
	var output bytes.Buffer
	if err := serve(bytes.NewReader(input), &output); err != nil {
		t.Fatal(err)
	}
	first, second := decode(t, &output), decode(t, &output)
	if len(first.Documents) != 1 || !strings.Contains(second.Error, "a.yaml") {
		t.Fatalf("%+v, %+v", first, second)
	}
}

func TestAFileThatWasNotSentIsAskedFor(t *testing.T) {
	r := &request{
		Files:    []listed{{Path: "kustomization.yaml", Size: 1}, {Path: "late.yaml", Size: -1}},
		contents: map[string][]byte{"kustomization.yaml": []byte("resources: [late.yaml]\n")},
	}
	result := build(r)
	if len(result.Need) != 1 || result.Need[0] != "late.yaml" || result.Error != "" {
		t.Fatalf("%+v", result)
	}
}

func TestWhatFluxAddsReachesTheObjects(t *testing.T) {
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n" +
		"      containers: [{name: web, image: nginx:1}]\n"
	result := ask(t, "", [][2]string{
		{"web.yaml", deployment},
		{"extra/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n" +
			"labels: [{pairs: {added: by-component}}]\n"},
	}, overlay{
		Resources: []string{"./web.yaml"}, TargetNamespace: "shop", NamePrefix: "a-", NameSuffix: "-z",
		Images:     []image{{Name: "nginx", NewTag: "2"}},
		Components: []string{"extra", "missing"}, IgnoreMissingComponents: true,
		Patches: []patch{{
			Patch:  "- {op: add, path: /spec/replicas, value: 3}\n",
			Target: &selector{Kind: "Deployment"},
		}},
	})
	if result.Error != "" || len(result.Documents) != 1 {
		t.Fatalf("%+v", result)
	}
	for _, want := range []string{"namespace: shop", "name: a-web-z", "nginx:2", "replicas: 3", "added: by-component"} {
		if !strings.Contains(result.Documents[0], want) {
			t.Errorf("no %q in\n%s", want, result.Documents[0])
		}
	}
}

func TestAnImageOfTheFluxKustomizationReplacesTagAndDigestTogether(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: nginx}]}\n"
	result := ask(t, "", [][2]string{
		{"kustomization.yaml", "resources: [pod.yaml]\nimages: [{name: nginx, digest: \"sha256:aa\"}]\n"},
		{"pod.yaml", pod},
	}, overlay{Images: []image{{Name: "nginx", NewTag: "2"}}})
	if len(result.Documents) != 1 || !strings.Contains(result.Documents[0], "image: nginx:2\n") {
		t.Fatalf("%+v", result)
	}
}

func TestAnEmptyDirectoryHasNoObjects(t *testing.T) {
	result := ask(t, "empty", [][2]string{{"empty/README.md", "nothing"}}, overlay{TargetNamespace: "x"})
	if result.Error != "" || len(result.Documents) != 0 {
		t.Fatalf("%+v", result)
	}
}

func TestT16PathTraversalInKustomization(t *testing.T) {
	// The first and the last name files that exist on any machine that runs this test.
	for _, reference := range []string{
		"../../../../../../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "..%2f..%2fetc/passwd",
		"/proc/self/environ",
	} {
		result := ask(t, "app", [][2]string{
			{"app/kustomization.yaml", "configMapGenerator: [{name: stolen, files: [\"" + reference + "\"]}]\n"},
		}, overlay{})
		if result.Error == "" || len(result.Documents) != 0 {
			t.Errorf("%s was read: %+v", reference, result)
		}
		result = ask(t, "app", [][2]string{
			{"app/kustomization.yaml", "resources: [\"" + reference + "\"]\n"},
		}, overlay{})
		if result.Error == "" {
			t.Errorf("%s was accepted as a resource", reference)
		}
	}
}

func TestT16ParentOfTheRootIsTheRoot(t *testing.T) {
	result := ask(t, "app", [][2]string{
		{"app/kustomization.yaml", "resources: [../../../settings.yaml]\n"},
		{"settings.yaml", configMap},
	}, overlay{})
	if len(result.Documents) != 1 {
		t.Fatalf("%+v", result)
	}
}

func TestT17CyclesEnd(t *testing.T) {
	result := ask(t, "a", [][2]string{
		{"a/kustomization.yaml", "resources: [../b]\n"},
		{"b/kustomization.yaml", "resources: [../a]\n"},
	}, overlay{})
	if !strings.Contains(result.Error, "cycle") {
		t.Fatalf("%+v", result)
	}
}

func TestT17AGraphThatFansOutIsStopped(t *testing.T) {
	files := [][2]string{{"00/kustomization.yaml", "resources: [a.yaml]\n"}, {"00/a.yaml", configMap}}
	for level := 1; level < 40; level++ {
		below := "../" + two(level-1)
		var entries []string
		for prefix := range 4 {
			directory := two(level) + "-" + two(prefix)
			files = append(files, [2]string{directory + "/kustomization.yaml",
				"namePrefix: p" + two(prefix) + "-\nresources: [" + below + "]\n"})
			entries = append(entries, "../"+directory)
		}
		files = append(files, [2]string{two(level) + "/kustomization.yaml",
			"resources: [" + strings.Join(entries, ", ") + "]\n"})
	}
	built, err := newTree(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	built.reads = maxReads
	if _, err := built.ReadFile("x"); !os.IsNotExist(err) {
		t.Fatal("the budget counts files that do not exist")
	}
	// The whole graph has 4^39 leaves. The budget of reads ends it; lowered here so that the test is quick.
	result := buildWithin(t, files, two(39), 300)
	if result.Error != errBudget.Error() {
		t.Fatalf("%.300s", result.Error)
	}
}

func two(number int) string {
	return string([]byte{byte('0' + number/10), byte('0' + number%10)})
}

// buildWithin is build with a budget of so many reads.
func buildWithin(t *testing.T, files [][2]string, directory string, reads int) answer {
	t.Helper()
	var names []listed
	contents := map[string][]byte{}
	for _, file := range files {
		names = append(names, listed{Path: file[0]})
		contents[file[0]] = []byte(file[1])
	}
	within, err := newTree(names, contents)
	if err != nil {
		t.Fatal(err)
	}
	within.reads = maxReads - reads
	_, err = run(within, "/"+directory)
	if err == nil {
		t.Fatal("the graph was built")
	}
	return settle(within, answer{Error: err.Error()})
}

func TestNoNetwork(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	confineForTest(t)
	for _, reference := range []string{
		server.URL + "/a.yaml", server.URL + "/org/repo.git", "git::" + server.URL + "/org/repo", "https://127.0.0.1:1/x//y?ref=z",
	} {
		for _, field := range []string{"resources", "components", "crds"} {
			result := ask(t, "", [][2]string{{"kustomization.yaml", field + ": [\"" + reference + "\"]\n"}}, overlay{})
			if result.Error == "" {
				t.Errorf("%s %s was accepted: %+v", field, reference, result)
			}
		}
	}
	if hits.Load() != 0 {
		t.Fatalf("%d requests reached the network", hits.Load())
	}
}

func TestNoProgramIsStarted(t *testing.T) {
	bait := t.TempDir()
	marker := filepath.Join(bait, "was-here")
	for _, program := range []string{"git", "helm", "sh", "docker"} {
		script := "#!/bin/sh\necho " + program + " >> " + marker + "\nexit 1\n"
		if err := os.WriteFile(filepath.Join(bait, program), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bait)
	if exec.Command("git").Run(); !exists(marker) {
		t.Fatal("the bait does not work")
	}
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	confineForTest(t)
	for _, kustomization := range []string{
		"resources: [\"https://example.invalid/org/repo//base?ref=main\"]\n",
		"resources: [\"git@example.invalid:org/repo\"]\n",
		"resources: [\"ssh://-oProxyCommand=x/org/repo\"]\n",
		"helmCharts: [{name: x, repo: \"https://example.invalid\", version: \"1\"}]\n",
		"transformers: [plugin.yaml]\n",
		"generators: [function.yaml]\n",
	} {
		result := ask(t, "", [][2]string{
			{"kustomization.yaml", kustomization},
			{"plugin.yaml", "apiVersion: someteam.example.com/v1\nkind: SedTransformer\nmetadata: {name: x}\n"},
			{"function.yaml", "apiVersion: v1\nkind: F\nmetadata:\n  name: x\n  annotations:\n" +
				"    config.kubernetes.io/function: |\n      exec: {path: " + filepath.Join(bait, "sh") + "}\n"},
		}, overlay{})
		if result.Error == "" {
			t.Errorf("accepted: %s", kustomization)
		}
	}
	if exists(marker) {
		content, _ := os.ReadFile(marker)
		t.Fatalf("programs were started: %s", content)
	}
}

// confineForTest confines this process as the program does, and gives the test's environment back afterwards.
func confineForTest(t *testing.T) {
	t.Helper()
	saved, transport, client := os.Environ(), http.DefaultTransport, http.DefaultClient
	confine()
	t.Cleanup(func() {
		http.DefaultTransport, http.DefaultClient = transport, client
		os.Clearenv()
		for _, entry := range saved {
			name, value, _ := strings.Cut(entry, "=")
			_ = os.Setenv(name, value)
		}
	})
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func TestAComponentOfTheFluxKustomizationMustBeLocal(t *testing.T) {
	for _, component := range []string{"https://example.invalid/x", "/abs", "github.com/org/repo?ref=x", "git@host:org/repo", ""} {
		result := ask(t, "", [][2]string{{"kustomization.yaml", "resources: []\n"}}, overlay{Components: []string{component}})
		if !strings.Contains(result.Error, "must be local") {
			t.Errorf("%q: %+v", component, result)
		}
	}
}

func TestHostilePathsOfTheTreeAreRefused(t *testing.T) {
	for _, name := range []string{"../x", "a/../x", "/x", "a//b", "./x", "a/", ""} {
		result := build(&request{Files: []listed{{Path: name}}, contents: map[string][]byte{}})
		if !strings.Contains(result.Error, "not clean") {
			t.Errorf("%q: %+v", name, result)
		}
	}
	result := build(&request{Files: []listed{{Path: "a"}, {Path: "a"}}, contents: map[string][]byte{}})
	if !strings.Contains(result.Error, "twice") {
		t.Errorf("%+v", result)
	}
}

func TestAFrameOverTheLimitIsRefused(t *testing.T) {
	huge := binary.BigEndian.AppendUint32(nil, maxHeader+1)
	if err := serve(bytes.NewReader(huge), &bytes.Buffer{}); err == nil {
		t.Error("a huge header was read")
	}
	header := []byte(`{"files":[{"path":"a","size":9223372036854775807},{"path":"b","size":9223372036854775807}]}`)
	sizes := append(binary.BigEndian.AppendUint32(nil, uint32(len(header))), header...)
	if err := serve(bytes.NewReader(sizes), &bytes.Buffer{}); err == nil {
		t.Error("huge files were read")
	}
}

func TestAPatchThatDoesNotParseIsNotQuoted(t *testing.T) {
	result := ask(t, "", [][2]string{
		{"kustomization.yaml", "resources: [a.yaml]\npatches:\n- patch: |\n    password: \"hunter2\"\n    - oops\n"},
		{"a.yaml", configMap},
	}, overlay{})
	if result.Error == "" || strings.Contains(result.Error, "hunter2") {
		t.Fatalf("%+v", result)
	}
}

func TestASchemaOfOneBuildIsGoneInTheNext(t *testing.T) {
	schema := `{"definitions":{"x.Thing":{"properties":{"items":{"type":"array","items":{"type":"object"},` +
		`"x-kubernetes-patch-merge-key":"name","x-kubernetes-patch-strategy":"merge"}},"type":"object",` +
		`"x-kubernetes-group-version-kind":[{"group":"x.io","kind":"Thing","version":"v1"}]}}}`
	thing := "apiVersion: x.io/v1\nkind: Thing\nmetadata: {name: t}\nitems:\n- {name: a, v: 1}\n- {name: b, v: 1}\n"
	change := "patches: [{patch: \"apiVersion: x.io/v1\\nkind: Thing\\nmetadata: {name: t}\\nitems: [{name: a, v: 2}]\\n\"}]\n"
	with := [][2]string{
		{"kustomization.yaml", "resources: [t.yaml]\nopenapi: {path: schema.json}\n" + change},
		{"t.yaml", thing}, {"schema.json", schema},
	}
	without := [][2]string{{"kustomization.yaml", "resources: [t.yaml]\n" + change}, {"t.yaml", thing}}
	merged, replaced := ask(t, "", with, overlay{}), ask(t, "", without, overlay{})
	if len(merged.Documents) != 1 || !strings.Contains(merged.Documents[0], "name: b") {
		t.Fatalf("the schema was not used: %+v", merged)
	}
	if len(replaced.Documents) != 1 || strings.Contains(replaced.Documents[0], "name: b") {
		t.Fatalf("the schema leaked into the next build: %+v", replaced)
	}
}
