package rootcoord

import (
	"iter"
	"slices"
	"strings"

	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
	"github.com/milvus-coord/milvus/internal/rbac"
)

// tables are all that RootCoord keeps in memory of etcd, fed by one follower: the metadata, and who may do what with it.
type tables struct {
	view           *catalog.View
	access         *tableset.Set[*rbac.Tables]
	accessPrefixes []string
}

var _ metatable.State = (*tables)(nil)

func newTables(keys catalog.Keys) *tables {
	of := rbac.Keys{MetaRoot: keys.MetaRoot}
	return &tables{view: catalog.NewView(keys), access: rbac.NewTables(of), accessPrefixes: of.Prefixes()}
}

func (t *tables) ofAccess(kv metatable.KV) bool {
	return slices.ContainsFunc(t.accessPrefixes, func(prefix string) bool { return strings.HasPrefix(kv.Key, prefix) })
}

// Load implements metatable.State.
func (t *tables) Load(revision int64, all iter.Seq[metatable.KV]) func() {
	var access []metatable.KV
	showView := t.view.Load(revision, func(yield func(metatable.KV) bool) {
		for kv := range all {
			if t.ofAccess(kv) {
				access = append(access, kv)
			} else if !yield(kv) {
				return
			}
		}
	})
	showAccess := t.access.Load(revision, slices.Values(access))
	return func() { showView(); showAccess() }
}

// Apply implements metatable.State. A change of the metadata is none of the access, so a reader need not see both at once.
func (t *tables) Apply(revision int64, changes []metatable.KV) {
	t.view.Apply(revision, changes) // it passes over keys that it does not know
	if access := slices.DeleteFunc(slices.Clone(changes), func(kv metatable.KV) bool { return !t.ofAccess(kv) }); len(access) > 0 {
		t.access.Apply(revision, access)
	}
}
