package rbac

import (
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Any stands for every privilege, every object of a type, or every database.
const Any = "*"

// DefaultDatabase is meant where none is named.
const DefaultDatabase = "default"

// Users and roles that every cluster has.
const (
	Root   = "root"
	Admin  = "admin"
	Public = "public" // every user's, without a membership
)

// Types of objects.
const (
	Collection = "Collection"
	Global     = "Global"
	User       = "User"
)

// KnownType tells whether there are objects of that type.
func KnownType(name string) bool { return name == Collection || name == Global || name == User }

// What stands before a name in etcd and in policies.
const (
	privilegeWord = "Privilege"
	groupWord     = "PrivilegeGroup"
)

// enforced are the groups that the proxies' enforcer knows itself.
var enforced = map[string]string{"ReadOnly": Collection, "ReadWrite": Collection, "Admin": Global} //nolint:gochecknoglobals // a constant

// typed are the privileges on objects that are not Global, by type.
var typed = map[string][]string{ //nolint:gochecknoglobals // a constant
	Collection: {
		"Load", "Release", "Compaction", "Insert", "Delete", "Upsert", "GetStatistics", "CreateIndex", "IndexDetail", "DropIndex",
		"Search", "Flush", "Query", "LoadBalance", "Import", "GetLoadingProgress", "GetLoadState", "CreatePartition",
		"DropPartition", "ShowPartitions", "HasPartition", "GetFlushState",
	},
	User: {"UpdateUser", "SelectUser"},
}

// TypeOf is the type of object that a privilege is about. A group's is Global.
func TypeOf(privilege string) string {
	if t, ok := enforced[privilege]; ok {
		return t
	}
	for t, names := range typed {
		if slices.Contains(names, privilege) {
			return t
		}
	}
	return Global
}

// single tells whether a name is that of one privilege.
func single(name string) bool {
	_, known := commonpb.ObjectPrivilege_value[privilegeWord+name]
	return known && !strings.HasPrefix(privilegeWord+name, groupWord)
}

// IsGroup tells whether a name is that of a group that every cluster has.
func IsGroup(name string) bool {
	_, known := commonpb.ObjectPrivilege_value[groupWord+name]
	return known
}

// Defined tells whether a name is taken: by a privilege or by a group that every cluster has.
func Defined(name string) bool { return name == Any || single(name) || IsGroup(name) }

// stored is a name as etcd and the proxies have it. What is no privilege is a group.
func stored(name string) string {
	switch {
	case name == Any:
		return name
	case single(name):
		return privilegeWord + name
	default:
		return groupWord + name
	}
}

// shown is the name that users know.
func shown(stored string) string {
	if name, group := strings.CutPrefix(stored, groupWord); group {
		return name
	}
	return strings.TrimPrefix(stored, privilegeWord)
}

// Groups are privilege groups: names of privileges, or of other groups, by the group's name.
type Groups map[string][]string

// Names of the groups of the three levels.
const (
	Cluster  = "Cluster"
	Database = "Database"

	ReadOnly  = "ReadOnly"
	ReadWrite = "ReadWrite"
)

// BuiltinGroups are the nine groups of Milvus 2.5: three levels, ReadOnly, ReadWrite and Admin of each, every one with what
// the one before has.
func BuiltinGroups() Groups {
	all := Groups{}
	for level, steps := range map[string][3][]string{
		Collection: {
			{
				"Query", "Search", "IndexDetail", "GetFlushState", "GetLoadState", "GetLoadingProgress", "HasPartition", "ShowPartitions",
				"DescribeCollection", "DescribeAlias", "GetStatistics", "ListAliases",
			},
			{
				"Load", "Release", "Insert", "Delete", "Upsert", "Import", "Flush", "Compaction", "LoadBalance", "CreateIndex",
				"DropIndex", "CreatePartition", "DropPartition",
			},
			{"CreateAlias", "DropAlias"},
		},
		Database: {
			{"ShowCollections", "DescribeDatabase"}, {"AlterDatabase"}, {"CreateCollection", "DropCollection"},
		},
		Cluster: {
			{"ListDatabases", "SelectOwnership", "SelectUser", "DescribeResourceGroup", "ListResourceGroups", "ListPrivilegeGroups"},
			{"FlushAll", "TransferNode", "TransferReplica", "UpdateResourceGroups"},
			{
				"BackupRBAC", "RestoreRBAC", "CreateDatabase", "DropDatabase", "CreateOwnership", "DropOwnership", "ManageOwnership",
				"CreateResourceGroup", "DropResourceGroup", "UpdateUser", "RenameCollection", "CreatePrivilegeGroup",
				"DropPrivilegeGroup", "OperatePrivilegeGroup",
			},
		},
	} {
		var sum []string
		for i, suffix := range []string{ReadOnly, ReadWrite, "Admin"} {
			sum = append(sum, steps[i]...)
			all[level+suffix] = slices.Clone(sum)
		}
	}
	return all
}

// expand gives the privileges that a name stands for; a group may contain groups, and itself by way of them.
func (g Groups) expand(name string) []string {
	var all []string
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		members, group := g[name]
		if !group {
			all = append(all, name)
			return
		}
		for _, member := range members {
			visit(member)
		}
	}
	visit(name)
	return all
}

// Expand gives the privileges of names, without those that are there twice.
func (g Groups) Expand(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, g.expand(name)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
