package rbac

import (
	"slices"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var keys = Keys{MetaRoot: "by-dev/meta"}

// TestGrantID holds the form of the key and the id to one that Milvus wrote.
func TestGrantID(t *testing.T) {
	key := keys.object(Public, Object{Global, Any, Any})
	require.Equal(t, "by-dev/meta/root-coord/credential/grantee-privileges/public/Global/*.*", key)
	require.Equal(t, "250dd41b686083b0", keys.grantID(key))
}

func TestEveryPrivilegeIsKnownByOneName(t *testing.T) {
	for name := range commonpb.ObjectPrivilege_value {
		require.Equal(t, name, stored(shown(name)), "there and back")
		require.True(t, Defined(shown(name)), name)
		require.True(t, KnownType(TypeOf(shown(name))))
	}
	for _, odd := range []string{"", "Nothing", "GroupAdmin", "PrivilegeInsert"} {
		require.False(t, Defined(odd), odd)
	}
	require.Equal(t, "PrivilegeGroupmine", stored("mine"))
	require.Equal(t, "mine", shown("PrivilegeGroupmine"))
	require.Equal(t, Any, stored(Any))
}

func TestBuiltinGroups(t *testing.T) {
	groups := BuiltinGroups()
	sizes := map[string]int{
		"CollectionReadOnly": 12, "CollectionReadWrite": 25, "CollectionAdmin": 27,
		"DatabaseReadOnly": 2, "DatabaseReadWrite": 3, "DatabaseAdmin": 5,
		"ClusterReadOnly": 6, "ClusterReadWrite": 10, "ClusterAdmin": 24,
	}
	require.Len(t, groups, len(sizes))
	for name, size := range sizes {
		require.Len(t, groups[name], size, name)
		require.True(t, IsGroup(name), name)
		for _, member := range groups[name] {
			require.True(t, single(member), member)
		}
	}
}

func TestAGroupMayContainItself(t *testing.T) {
	groups := Groups{"a": {"b", "Insert"}, "b": {"a", "Query"}}
	require.Equal(t, []string{"Insert", "Query"}, groups.Expand([]string{"a", "b"}))
}

// loaded are tables with records, each a key and a value.
func loaded(records ...string) *tableset.Set[*Tables] {
	tables := NewTables(keys)
	var all []metatable.KV
	for i := 0; i < len(records); i += 2 {
		all = append(all, metatable.KV{Key: keys.MetaRoot + records[i], Value: []byte(records[i+1]), ModRevision: int64(i + 1)})
	}
	tables.Load(1, slices.Values(all))()
	return tables
}

func group(t *testing.T, members ...string) string {
	info := &milvuspb.PrivilegeGroupInfo{GroupName: "mine"}
	for _, m := range members {
		info.Privileges = append(info.Privileges, &milvuspb.PrivilegeEntity{Name: m})
	}
	value, err := proto.Marshal(info)
	require.NoError(t, err)
	return string(value)
}

func granted(t *testing.T) *tableset.Set[*Tables] {
	const grant, id = "/root-coord/credential/grantee-privileges/", "/root-coord/credential/grantee-id/"
	return loaded(
		"/root-coord/credential/roles/r", "", "/root-coord/credential/roles/rr", "",
		"/root-coord/credential/users/ann", `{"encrypted_password":"hash"}`, "/root-coord/credential/users/anna", `{`,
		"/root-coord/credential/user-role-mapping/ann/r", "", "/root-coord/credential/user-role-mapping/anna/rr", "",
		grant+"r/Collection/old", "1", id+"1/PrivilegeInsert", "root", // from before databases
		grant+"r/Global/d.c", "2", id+"2/PrivilegeGroupmine", "root", id+"2/PrivilegeGroupDatabaseReadOnly", "ann",
		grant+"rr/Global/*.*", "3", id+"3/PrivilegeAll", "root",
		grant+"gone/Global/*.*", "4", id+"4/PrivilegeAll", "root",
		"/root-coord/privilege-group/mine", group(t, "Query", "ShowCollections"), "/root-coord/privilege-group/bad", "\xff",
	)
}

func TestTables(t *testing.T) {
	set := granted(t)
	require.Len(t, set.Quarantined(), 2, "anna and the group bad")
	set.Read(func(tables *Tables) {
		hash, found, err := tables.User("ann")
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, "hash", hash)
		_, _, err = tables.User("anna")
		require.ErrorAs(t, err, &metatable.Quarantined{})
		require.Equal(t, []string{"r"}, tables.RolesOf("ann"), "not those of anna")
		require.Equal(t, []string{"anna"}, tables.UsersOf("rr"))
		require.Equal(t, []Membership{{"ann", "r"}, {"anna", "rr"}}, tables.Memberships())
		require.Equal(t, []Grant{
			{"r", Object{Collection, DefaultDatabase, "old"}, "Insert", "root"},
			{"r", Object{Global, "d", "c"}, "DatabaseReadOnly", "ann"},
			{"r", Object{Global, "d", "c"}, "mine", "root"},
		}, tables.Grants("r"), "not those of rr")
		require.Equal(t, []string{"r"}, tables.RolesWith("mine"))
		require.True(t, tables.HasGrants("rr"))
		require.False(t, tables.HasGrants("nobody"))
	})
}

func TestPolicies(t *testing.T) {
	granted(t).Read(func(tables *Tables) {
		var all []string
		for _, p := range tables.Policies(BuiltinGroups()) {
			all = append(all, p.String())
		}
		require.Equal(t, []string{
			`{"PType":"p","V0":"r","V1":"Collection-d.c","V2":"PrivilegeQuery"}`,
			`{"PType":"p","V0":"r","V1":"Collection-default.old","V2":"PrivilegeInsert"}`,
			`{"PType":"p","V0":"r","V1":"Global-d.*","V2":"PrivilegeDescribeDatabase"}`,
			`{"PType":"p","V0":"r","V1":"Global-d.*","V2":"PrivilegeShowCollections"}`, // by two groups, once
			`{"PType":"p","V0":"rr","V1":"Global-*.*","V2":"PrivilegeAll"}`,
		}, all, "and nothing of a role that is gone")
	})
}

func TestDifference(t *testing.T) {
	a, b, c := Policy{Role: "a"}, Policy{Role: "b"}, Policy{Role: "c"}
	require.Equal(t, []Policy{a}, Difference([]Policy{a, b}, []Policy{b, c}))
	require.Empty(t, Difference([]Policy{a}, []Policy{a}))
}

func TestSight(t *testing.T) {
	granted(t).Read(func(tables *Tables) {
		groups := BuiltinGroups()
		require.Equal(t, Everything(), tables.SightOf(Root, groups))
		ann, nobody, anna := tables.SightOf("ann", groups), tables.SightOf("nobody", groups), tables.SightOf("anna", groups)
		require.True(t, ann.Database("d"))
		require.True(t, ann.Database(DefaultDatabase))
		require.False(t, ann.Database("other"))
		require.True(t, ann.Collection("d", "c"), "a group with privileges on collections")
		require.True(t, ann.Collection(DefaultDatabase, "old"))
		require.False(t, ann.Collection(DefaultDatabase, "c"))
		require.False(t, nobody.Database(DefaultDatabase))
		require.False(t, nobody.Collection(DefaultDatabase, "c"))
		require.True(t, anna.Database("d"))
		require.True(t, anna.Collection("d", "c"), "All on everything")
	})
}

// FuzzRecords feeds arbitrary records: nothing may panic, and what is not understood is quarantined or left alone.
func FuzzRecords(f *testing.F) {
	for _, key := range []string{usersKind, rolesKind, membersKind + "u/", objectsKind + "r/Global/", privilegesKind + "1/", groupsKind} {
		f.Add(key+"x", []byte(`{"encrypted_password":"x"}`))
		f.Add(key, []byte{0xff})
	}
	f.Fuzz(func(_ *testing.T, key string, value []byte) {
		set := NewTables(keys)
		set.Apply(1, []metatable.KV{{Key: keys.MetaRoot + key, Value: value, ModRevision: 1}})
		set.Read(func(tables *Tables) {
			for _, p := range tables.Policies(BuiltinGroups()) {
				_ = p.String()
			}
			for _, user := range tables.Users() {
				_ = tables.SightOf(user, nil)
			}
		})
	})
}
