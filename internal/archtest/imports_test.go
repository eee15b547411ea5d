package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/milvus-coord/milvus/"

// layers from the top down. A package imports only what stands in a layer below its own, or below its own folder.
var layers = [][]string{
	{"cmd/milvus"},
	{"internal/components"},
	{"internal/rootcoord", "internal/querycoord", "internal/datacoord", "internal/webui"},
	{"internal/coordclient", "internal/proxies", "internal/quota", "internal/mq", "internal/haview"},
	{"internal/coord", "internal/rpc", "internal/tso", "internal/catalog", "internal/rbac", "internal/opshttp"},
	{"internal/metatable", "internal/rpc/listen"},
	{"internal/sessionutil"},
	{"internal/etcdutil"},
	{"internal/model", "internal/errs", "internal/log", "internal/metrics", "internal/clock", "internal/config", "internal/pidfile", "internal/failpoint"},
}

// testOnly are for tests, and for nothing that ships.
var testOnly = []string{
	module + "internal/clustertest", module + "internal/sessionutil/sessiontest", "github.com/stretchr/testify", "go.uber.org/goleak",
	"pgregory.net/rapid", "github.com/anishathalye/porcupine", "github.com/rogpeppe/go-internal", "go.etcd.io/etcd/server",
	"github.com/twmb/franz-go/pkg/kfake",
}

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
