package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/milvus-coord/milvus/"

// layers from the top down. A package imports only what stands in a layer below its own, or below its own folder.
var layers = [][]string{
	{"cmd/milvus"},
	{"internal/components"},
	{"internal/rootcoord", "internal/querycoord", "internal/datacoord", "internal/webui"},
	{"internal/doctor"},
	{"internal/coordclient", "internal/proxies", "internal/quota", "internal/mq", "internal/haview", "internal/backup"},
	{"internal/coord", "internal/rpc", "internal/tso", "internal/catalog", "internal/rbac", "internal/opshttp", "internal/etcdembed"},
	{"internal/metatable", "internal/rpc/listen"},
	{"internal/sessionutil"},
	{"internal/etcdutil"},
	{"internal/model", "internal/errs", "internal/log", "internal/metrics", "internal/clock", "internal/config", "internal/pidfile", "internal/failpoint", "internal/kubelabel"},
}

// testOnly are for tests, and for nothing that ships.
var testOnly = []string{
	module + "internal/clustertest", module + "internal/sessionutil/sessiontest", "github.com/stretchr/testify", "go.uber.org/goleak",
	"pgregory.net/rapid", "github.com/anishathalye/porcupine", "github.com/rogpeppe/go-internal",
	"github.com/twmb/franz-go/pkg/kfake", "golang.org/x/net/html",
}

// reflecting are libraries by which the linker must keep every exported method of the program: half as much again.
var reflecting = []string{"github.com/modern-go/reflect2", "golang.org/x/net/trace"}

// templates do the same where they are used. Libraries for the command line import them and are not asked for what uses them.
var templates = []string{"html/template", "text/template"}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...).Output() //nolint:gosec // fixed arguments
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// layer is the index of a package's layer, by the longest name that it begins with; -1 if it stands in none.
func layer(path string) (int, string) {
	found, name := -1, ""
	for i, l := range layers {
		for _, p := range l {
			if (path == module+p || strings.HasPrefix(path, module+p+"/")) && len(p) > len(name) {
				found, name = i, p
			}
		}
	}
	return found, name
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range list(t, module+"cmd/...", module+"internal/...") {
		from, own := layer(p.ImportPath)
		if from < 0 {
			continue // test helpers
		}
		for _, imported := range p.Imports {
			to, name := layer(imported)
			if to >= 0 && name != own && to <= from {
				t.Errorf("%s imports %s, which does not stand below it", p.ImportPath, imported)
			}
			if name == "internal/config" && from > 1 {
				t.Errorf("%s knows the configuration; only cmd and components do", p.ImportPath)
			}
		}
	}
}

// The etcd server is in the binary for standalone's sake. It is wide and has ways of its own: one package knows it.
func TestOnePackageKnowsTheEtcdServer(t *testing.T) {
	found := false
	for _, p := range list(t, module+"cmd/...", module+"internal/...") {
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, "go.etcd.io/etcd/server") {
				continue
			}
			found = true
			if p.ImportPath != module+"internal/etcdembed" {
				t.Errorf("%s imports %s; only internal/etcdembed does", p.ImportPath, imported)
			}
		}
	}
	if !found {
		t.Error("nobody imports the etcd server: this test looks at nothing")
	}
}

func TestTheBinaryCarriesNothingOfTheTests(t *testing.T) {
	for _, p := range list(t, module+"cmd/milvus") {
		for _, dep := range p.Deps {
			for _, bad := range testOnly {
				if strings.HasPrefix(dep, bad) {
					t.Errorf("the binary contains %s", dep)
				}
			}
		}
	}
}

func TestTheLinkerMayDropWhatIsNotUsed(t *testing.T) {
	for _, p := range list(t, "-tags=grpcnotrace", module+"cmd/milvus") {
		for _, dep := range p.Deps {
			if slices.Contains(reflecting, dep) {
				t.Errorf("the binary contains %s, see docs/adr/0005", dep)
			}
		}
	}
	for _, p := range list(t, module+"cmd/...", module+"internal/...") {
		for _, imported := range p.Imports {
			if slices.Contains(templates, imported) {
				t.Errorf("%s imports %s, see docs/adr/0005", p.ImportPath, imported)
			}
		}
	}
}
