package components

import (
	"strings"

	"github.com/milvus-coord/milvus/internal/backup"
	"github.com/milvus-coord/milvus/internal/catalog"
	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/datacoord"
	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/querycoord"
	"github.com/milvus-coord/milvus/internal/rbac"
)

// kindNames are what people call the records of a kind, by how their keys go on behind the meta root. A kind that is not
// here is called as its keys begin.
var kindNames = map[string]string{
	"root-coord/credential/users/":              "users",
	"root-coord/credential/roles/":              "roles",
	"root-coord/credential/user-role-mapping/":  "roles of users",
	"root-coord/credential/grantee-privileges/": "objects of grants",
	"root-coord/credential/grantee-id/":         "grants",
	"root-coord/privilege-group/":               "privilege groups",
	"datacoord-meta/s/":                         "segments",
	"datacoord-meta/channel-cp/":                "channel checkpoints",
	"channelwatch/":                             "watched channels",
	"field-index/":                              "indexes",
	"segment-index/":                            "indexes of segments",
	"querycoord-collection-loadinfo/":           "loaded collections",
	"querycoord-partition-loadinfo/":            "loaded partitions",
	"querycoord-replica/":                       "replicas",
	"queryCoord-ResourceGroup/":                 "resource groups",
	"snapshots/":                                "snapshot copies of Milvus",
}

// MetadataLayout is where the cluster of the configuration has its keys.
func MetadataLayout(e config.Etcd) backup.Layout {
	return backup.Layout{RootPath: e.RootPath, MetaRoot: e.MetaRoot(), KvRoot: e.KvRoot()}
}

// ActiveNames are the names under which a process is active: the roles', and those that Milvus expects beside them.
func ActiveNames() []string {
	names := Roles()
	for _, name := range Roles() {
		if r, err := lookup(name); err == nil {
			names = append(names, r.companions...)
		}
	}
	return names
}

// MetadataChecks makes what decodes the records of all coordinators, for one backup.
func MetadataChecks(l backup.Layout) ([]backup.Check, error) {
	querySide, err := querycoord.NewChecker(l.MetaRoot)
	if err != nil {
		return nil, err
	}
	access := rbac.NewTables(rbac.Keys{MetaRoot: l.MetaRoot})
	named := func(check backup.Check) backup.Check {
		return func(kv metatable.KV) (string, bool, error) {
			kind, present, err := check(kv)
			path := strings.TrimPrefix(kind, l.MetaRoot+"/")
			if name, known := kindNames[path]; known {
				return name, present, err
			}
			return strings.TrimSuffix(path, "/"), present, err
		}
	}
	copies := func(kv metatable.KV) (string, bool, error) {
		if strings.HasPrefix(kv.Key, l.MetaRoot+"/snapshots/") {
			return l.MetaRoot + "/snapshots/", true, nil // of whatever kind, tombstones among them; nobody here reads them
		}
		return "", false, nil
	}
	return []backup.Check{
		catalog.NewChecker(catalog.Keys{MetaRoot: l.MetaRoot}).Check, named(access.Check),
		named(datacoord.NewChecker(l.MetaRoot)), named(querySide), named(copies),
	}, nil
}
