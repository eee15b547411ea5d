package backup

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/tso"
)

// Layout is where a cluster's keys are in etcd.
type Layout struct {
	RootPath string `json:"rootPath" yaml:"rootPath"` // etcd.rootPath
	MetaRoot string `json:"metaRoot" yaml:"metaRoot"` // <rootPath>/<etcd.metaSubPath>
	KvRoot   string `json:"kvRoot" yaml:"kvRoot"`     // <rootPath>/<etcd.kvSubPath>
}

func (l Layout) validate() error {
	if l.MetaRoot == "" || l.KvRoot == "" || l.MetaRoot == l.KvRoot {
		return errors.New("backup: a meta root and a kv root are required, and must differ")
	}
	for _, root := range []string{l.MetaRoot, l.KvRoot} {
		if l.RootPath != "" && !strings.HasPrefix(root, l.RootPath+"/") {
			return fmt.Errorf("backup: %s is not under the root path %s", root, l.RootPath)
		}
	}
	return nil
}

func (l Layout) timestampKey() string { return l.KvRoot + "/" + tso.TimestampKey }
func (l Layout) idKey() string        { return l.KvRoot + "/" + tso.IDKey }
func (l Layout) counterKey() string   { return sessionutil.CounterKey(l.MetaRoot) }

// all are the ranges of everything that is the cluster's, in the order of keys. A cluster without a root path owns its two
// subtrees only: others may lie beside them.
func (l Layout) all() []metatable.Range {
	if l.RootPath != "" {
		return []metatable.Range{metatable.Under(l.RootPath + "/")}
	}
	ranges := []metatable.Range{metatable.Under(l.MetaRoot + "/"), metatable.Under(l.KvRoot + "/")}
	slices.SortFunc(ranges, byFrom)
	return ranges
}

// data are the ranges of what a restore deletes and puts: everything but the sessions, this product's own keys, and the
// counters, which are raised and never replaced.
func (l Layout) data() []metatable.Range {
	ranges := l.all()
	for _, kept := range []metatable.Range{
		metatable.Under(sessionutil.SessionRoot(l.MetaRoot)), metatable.Under(sessionutil.HARoot(l.MetaRoot)),
		single(l.timestampKey()), single(l.idKey()),
	} {
		ranges = without(ranges, kept)
	}
	return ranges
}

// saved are the ranges of what goes into a backup, in the order of keys.
func (l Layout) saved() []metatable.Range {
	ranges := append(l.data(), single(l.timestampKey()), single(l.idKey()), single(l.counterKey()))
	slices.SortFunc(ranges, byFrom)
	return ranges
}

// sessions are the ranges in which no key may lie when a restore begins.
func (l Layout) sessions() []metatable.Range {
	return without([]metatable.Range{metatable.Under(sessionutil.SessionRoot(l.MetaRoot))}, single(l.counterKey()))
}

// counter tells whether a key is raised, instead of being put as it was.
func (l Layout) counter(key string) bool {
	return key == l.timestampKey() || key == l.idKey() || key == l.counterKey()
}

// moved gives the key at which a record of another cluster's backup lies in this one.
func (l Layout) moved(key string, from Layout) (string, error) {
	for _, root := range [][2]string{{from.MetaRoot, l.MetaRoot}, {from.KvRoot, l.KvRoot}, {from.RootPath, l.RootPath}} {
		if rest, under := strings.CutPrefix(key, root[0]+"/"); under && root[0] != "" && root[1] != "" {
			return root[1] + "/" + rest, nil
		}
	}
	return "", fmt.Errorf("%s has no place under the root path %q", key, l.RootPath)
}

func single(key string) metatable.Range { return metatable.Range{From: key, To: key + "\x00"} }

func byFrom(a, b metatable.Range) int { return cmp.Compare(a.From, b.From) }

// without cuts a hole into ranges.
func without(ranges []metatable.Range, hole metatable.Range) []metatable.Range {
	var left []metatable.Range
	for _, r := range ranges {
		for _, part := range []metatable.Range{{From: r.From, To: min(r.To, hole.From)}, {From: max(r.From, hole.To), To: r.To}} {
			if part.From < part.To {
				left = append(left, part)
			}
		}
	}
	return left
}
