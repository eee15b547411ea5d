package rootcoord

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/rbac"
	"github.com/milvus-coord/milvus/internal/rootcoord/access"
)

// Old codes that clients of these calls test.
const (
	createUserFailed  = commonpb.ErrorCode_CreateCredentialFailure
	updateUserFailed  = commonpb.ErrorCode_UpdateCredentialFailure
	getUserFailed     = commonpb.ErrorCode_GetCredentialFailure
	createRoleFailed  = commonpb.ErrorCode_CreateRoleFailure
	dropRoleFailed    = commonpb.ErrorCode_DropRoleFailure
	userRoleFailed    = commonpb.ErrorCode_OperateUserRoleFailure
	privilegeFailed   = commonpb.ErrorCode_OperatePrivilegeFailure
	selectGrantFailed = commonpb.ErrorCode_SelectGrantFailure
	createGroupFailed = commonpb.ErrorCode_CreatePrivilegeGroupFailure
	dropGroupFailed   = commonpb.ErrorCode_DropPrivilegeGroupFailure
	groupFailed       = commonpb.ErrorCode_OperatePrivilegeGroupFailure
)

func (s *server) addUser(t testing.TB, name string) error {
	t.Helper()
	_, err := s.CreateCredential(within(t), &internalpb.CredentialInfo{Username: name, EncryptedPassword: "bcrypt-" + name, Sha256Password: "sha-" + name})
	return err
}

func (s *server) addRole(t testing.TB, name string) error {
	t.Helper()
	_, err := s.CreateRole(within(t), &milvuspb.CreateRoleRequest{Entity: &milvuspb.RoleEntity{Name: name}})
	return err
}

func (s *server) join(t testing.TB, user, role string, kind milvuspb.OperateUserRoleType) error {
	t.Helper()
	_, err := s.OperateUserRole(within(t), &milvuspb.OperateUserRoleRequest{Username: user, RoleName: role, Type: kind})
	return err
}

// grantRequest is one by root on a collection of the default database.
func grantRequest(role, privilege string, change ...func(*milvuspb.OperatePrivilegeRequest)) *milvuspb.OperatePrivilegeRequest {
	req := &milvuspb.OperatePrivilegeRequest{
		Type: milvuspb.OperatePrivilegeType_Grant,
		Entity: &milvuspb.GrantEntity{
			Role: &milvuspb.RoleEntity{Name: role}, Object: &milvuspb.ObjectEntity{Name: rbac.Collection}, ObjectName: "c",
			Grantor: &milvuspb.GrantorEntity{
				User: &milvuspb.UserEntity{Name: rbac.Root}, Privilege: &milvuspb.PrivilegeEntity{Name: privilege},
			},
		},
	}
	for _, f := range change {
		f(req)
	}
	return req
}

func onType(kind string) func(*milvuspb.OperatePrivilegeRequest) {
	return func(r *milvuspb.OperatePrivilegeRequest) { r.Entity.Object.Name = kind }
}
func revoke(r *milvuspb.OperatePrivilegeRequest) { r.Type = milvuspb.OperatePrivilegeType_Revoke }
func v2(r *milvuspb.OperatePrivilegeRequest)     { r.Version, r.Entity.Object.Name = "v2", rbac.Global }
func onDatabase(name string) func(*milvuspb.OperatePrivilegeRequest) {
	return func(r *milvuspb.OperatePrivilegeRequest) { r.Entity.DbName = name }
}

func (s *server) operate(t testing.TB, req *milvuspb.OperatePrivilegeRequest) error {
	t.Helper()
	_, err := s.OperatePrivilege(within(t), req)
	return err
}

func (s *server) group(t testing.TB, name string, kind milvuspb.OperatePrivilegeGroupType, members ...string) error {
	t.Helper()
	req := &milvuspb.OperatePrivilegeGroupRequest{GroupName: name, Type: kind}
	for _, m := range members {
		req.Privileges = append(req.Privileges, &milvuspb.PrivilegeEntity{Name: m})
	}
	_, err := s.OperatePrivilegeGroup(within(t), req)
	return err
}

func (s *server) addGroup(t testing.TB, name string, members ...string) {
	t.Helper()
	_, err := s.CreatePrivilegeGroup(within(t), &milvuspb.CreatePrivilegeGroupRequest{GroupName: name})
	require.NoError(t, err)
	require.NoError(t, s.group(t, name, milvuspb.OperatePrivilegeGroupType_AddPrivilegesToGroup, members...))
}

func (s *server) policies(t testing.TB) (policies, userRoles []string) {
	t.Helper()
	resp, err := s.ListPolicy(within(t), &internalpb.ListPolicyRequest{})
	require.NoError(t, err)
	return resp.GetPolicyInfos(), resp.GetUserRoles()
}

func policy(role, object, privilege string) string {
	return fmt.Sprintf(`{"PType":"p","V0":%q,"V1":%q,"V2":"Privilege%s"}`, role, object, privilege)
}

func requireLegacy(t testing.TB, want commonpb.ErrorCode, err error, about ...any) {
	t.Helper()
	s := errs.ToStatus(err)
	require.Equal(t, want, s.GetErrorCode(), "%v %v", err, fmt.Sprint(about...))
	require.NotZero(t, s.GetCode(), "clients of 2.3 and later test this one")
}

// TestWhatEveryClusterHas holds the records to Milvus' bytes, and checks that a second activation adds nothing.
func TestWhatEveryClusterHas(t *testing.T) {
	c := newCluster(t)
	c.start(t).end()
	root := c.metaRoot() + "/root-coord/credential/"
	read := func() map[string]string {
		resp, err := c.client.Get(within(t), root, clientv3.WithPrefix())
		require.NoError(t, err)
		all := map[string]string{}
		for _, kv := range resp.Kvs {
			all[strings.TrimPrefix(string(kv.Key), root)] = string(kv.Value)
			require.Equal(t, int64(1), kv.Version)
		}
		return all
	}
	first := read()
	user := first["users/root"]
	hash, ok := strings.CutPrefix(strings.TrimSuffix(user, `"}`), `{"encrypted_password":"`)
	require.True(t, ok, user)
	require.NoError(t, bcrypt.CompareHashAndPassword([]byte(hash), []byte("Milvus")))
	ids := first["grantee-privileges/public/Collection/*.*"]
	require.Equal(t, map[string]string{
		"users/root": user, "roles/admin": "", "roles/public": "",
		"grantee-privileges/public/Global/*.*":                    "250dd41b686083b0",
		"grantee-id/250dd41b686083b0/PrivilegeDescribeCollection": "root",
		"grantee-id/250dd41b686083b0/PrivilegeListAliases":        "root",
		"grantee-privileges/public/Collection/*.*":                ids,
		"grantee-id/" + ids + "/PrivilegeIndexDetail":             "root",
	}, first)
	c.start(t).end()
	require.Equal(t, first, read())
}

func TestUsersAndRoles(t *testing.T) {
	c := newCluster(t)
	p := c.startProxy(t, 77)
	rules := testRules()
	rules.MaxUsers, rules.MaxRoles = 3, 4
	s := c.startWith(t, rules)
	require.Equal(t, int32(7), takes(t, p.refreshed).GetOpType())

	require.NoError(t, s.addUser(t, "ann"))
	told := takes(t, p.updated)
	require.Equal(t, "ann", told.GetUsername())
	require.Equal(t, "sha-ann", told.GetPassword())
	requireLegacy(t, createUserFailed, s.addUser(t, "ann"), "exists")
	requireLegacy(t, createUserFailed, s.addUser(t, ""))
	requireLegacy(t, createUserFailed, s.addUser(t, "a/b"), "a slash would be another key")
	requireLegacy(t, createUserFailed, s.addUser(t, ".."), "Milvus cleans its paths")
	requireLegacy(t, createRoleFailed, s.addRole(t, "a|b"), "a bar would be two policies")
	require.NoError(t, s.addUser(t, "bob"))
	takes(t, p.updated)
	requireLegacy(t, createUserFailed, s.addUser(t, "one-too-many"))

	got, err := s.GetCredential(within(t), &rootcoordpb.GetCredentialRequest{Username: "ann"})
	require.NoError(t, err)
	require.Equal(t, "bcrypt-ann", got.GetPassword())
	_, err = s.GetCredential(within(t), &rootcoordpb.GetCredentialRequest{Username: "nobody"})
	requireLegacy(t, getUserFailed, err)
	requireCode(t, 1000, err)
	_, err = s.UpdateCredential(within(t), &internalpb.CredentialInfo{Username: "ann", EncryptedPassword: "new", Sha256Password: "sha-new"})
	require.NoError(t, err)
	require.Equal(t, "sha-new", takes(t, p.updated).GetPassword())

	require.NoError(t, s.addRole(t, "r"))
	requireLegacy(t, createRoleFailed, s.addRole(t, "r"))
	requireLegacy(t, createRoleFailed, s.addRole(t, ""))
	require.NoError(t, s.addRole(t, "rr"))
	requireLegacy(t, createRoleFailed, s.addRole(t, "one-too-many"))

	add, remove := milvuspb.OperateUserRoleType_AddUserToRole, milvuspb.OperateUserRoleType_RemoveUserFromRole
	for range 2 { // again is a success
		require.NoError(t, s.join(t, "ann", "r", add))
		got := takes(t, p.refreshed)
		require.Equal(t, int32(1), got.GetOpType())
		require.Equal(t, "ann/r", got.GetOpKey())
	}
	requireLegacy(t, userRoleFailed, s.join(t, "nobody", "r", add))
	requireLegacy(t, userRoleFailed, s.join(t, "ann", "no-role", add))
	requireLegacy(t, userRoleFailed, s.join(t, "ann", "no-role", remove))
	requireLegacy(t, userRoleFailed, s.join(t, "ann", "r", 7))
	require.NoError(t, s.join(t, "bob", "r", remove), "who does not have it")
	require.Equal(t, int32(2), takes(t, p.refreshed).GetOpType())

	users, err := s.SelectUser(within(t), &milvuspb.SelectUserRequest{IncludeRoleInfo: true})
	require.NoError(t, err)
	require.Len(t, users.GetResults(), 3)
	require.Equal(t, "r", users.GetResults()[0].GetRoles()[0].GetName(), "ann's")
	users, err = s.SelectUser(within(t), &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: "nobody"}})
	require.NoError(t, err)
	require.Empty(t, users.GetResults())
	roles, err := s.SelectRole(within(t), &milvuspb.SelectRoleRequest{Role: &milvuspb.RoleEntity{Name: "r"}, IncludeUserInfo: true})
	require.NoError(t, err)
	require.Equal(t, "ann", roles.GetResults()[0].GetUsers()[0].GetName())
	names, err := s.ListCredUsers(within(t), &milvuspb.ListCredUsersRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"ann", "bob", "root"}, names.GetUsernames())

	for range 2 {
		_, err = s.DeleteCredential(within(t), &milvuspb.DeleteCredentialRequest{Username: "ann"})
		require.NoError(t, err)
		require.Equal(t, "ann", takes(t, p.forgotten).GetUsername())
		require.Equal(t, int32(5), takes(t, p.refreshed).GetOpType())
	}
	_, userRoles := s.policies(t)
	require.Empty(t, userRoles, "the memberships are gone, too")
}

func TestGrants(t *testing.T) {
	c := newCluster(t)
	p := c.startProxy(t, 77)
	s := c.start(t)
	require.Equal(t, int32(7), takes(t, p.refreshed).GetOpType())
	require.NoError(t, s.addRole(t, "r"))
	s.addGroup(t, "mine", "Query", "Search")

	for what, req := range map[string]*milvuspb.OperatePrivilegeRequest{
		"no role":              grantRequest("nobody", "Insert"),
		"no privilege":         grantRequest("r", "Nothing"),
		"of another type":      grantRequest("r", "CreateCollection"),
		"no type":              grantRequest("r", "Insert", onType("Thing")),
		"a custom group":       grantRequest("r", "mine"),
		"a group of a level":   grantRequest("r", "CollectionAdmin", onType(rbac.Global)),
		"an unknown version":   grantRequest("r", "Insert", func(r *milvuspb.OperatePrivilegeRequest) { r.Version = "v3" }),
		"unknown in version 2": grantRequest("r", "Nothing", v2),
		"no grantor":           grantRequest("r", "Insert", func(r *milvuspb.OperatePrivilegeRequest) { r.Entity.Grantor.User.Name = "nobody" }),
		"no object":            grantRequest("r", "Insert", func(r *milvuspb.OperatePrivilegeRequest) { r.Entity.ObjectName = "" }),
		"nothing at all":       {},
		"a slash":              grantRequest("r", "Insert", func(r *milvuspb.OperatePrivilegeRequest) { r.Entity.ObjectName = "a/b" }),
	} {
		requireLegacy(t, privilegeFailed, s.operate(t, req), what)
	}
	hears := func(op int32, policies ...string) {
		t.Helper()
		got := takes(t, p.refreshed)
		require.Equal(t, op, got.GetOpType())
		require.ElementsMatch(t, policies, strings.Split(got.GetOpKey(), "|"))
	}
	require.NoError(t, s.operate(t, grantRequest("r", "Insert")))
	hears(3, policy("r", "Collection-default.c", "Insert"))
	require.NoError(t, s.operate(t, grantRequest("r", "Insert")), "again, and nobody need be told")
	require.NoError(t, s.operate(t, grantRequest("r", "CreateCollection", onType(rbac.Global))))
	hears(3, policy("r", "Global-default.*", "CreateCollection"))
	require.NoError(t, s.operate(t, grantRequest("r", "mine", v2)))
	hears(3, policy("r", "Collection-default.c", "Query"), policy("r", "Collection-default.c", "Search"))
	require.NoError(t, s.operate(t, grantRequest("r", "Query", v2)), "it has that by the group")
	require.NoError(t, s.operate(t, grantRequest("r", "mine", v2, revoke)))
	hears(4, policy("r", "Collection-default.c", "Search"))
	require.NoError(t, s.operate(t, grantRequest("r", "DatabaseReadOnly", v2, onDatabase("d"))))
	hears(3, policy("r", "Global-d.*", "DescribeDatabase"), policy("r", "Global-d.*", "ShowCollections"))
	require.NoError(t, s.operate(t, grantRequest("r", "Delete", revoke)), "which it does not have")

	list := func(change ...func(*milvuspb.GrantEntity)) (found []string) {
		entity := &milvuspb.GrantEntity{Role: &milvuspb.RoleEntity{Name: "r"}}
		for _, f := range change {
			f(entity)
		}
		resp, err := s.SelectGrant(within(t), &milvuspb.SelectGrantRequest{Entity: entity})
		require.NoError(t, err)
		for _, e := range resp.GetEntities() {
			found = append(found, strings.Join([]string{
				e.GetObject().GetName(), e.GetDbName(), e.GetObjectName(), e.GetGrantor().GetPrivilege().GetName(), e.GetGrantor().GetUser().GetName(),
			}, " "))
		}
		return found
	}
	inDefault := []string{"Collection default c Insert root", "Collection default c Query root", "Global default * CreateCollection root"}
	require.ElementsMatch(t, inDefault, list())
	require.ElementsMatch(t, append(inDefault, "Global d c DatabaseReadOnly root"), list(func(e *milvuspb.GrantEntity) { e.DbName = "*" }))
	require.ElementsMatch(t, inDefault[:2], list(func(e *milvuspb.GrantEntity) {
		e.Object, e.ObjectName = &milvuspb.ObjectEntity{Name: rbac.Collection}, "c"
	}))
	for _, bad := range []*milvuspb.GrantEntity{nil, {Role: &milvuspb.RoleEntity{Name: "nobody"}}, {
		Role: &milvuspb.RoleEntity{Name: "r"}, Object: &milvuspb.ObjectEntity{Name: "Thing"},
	}} {
		_, err := s.SelectGrant(within(t), &milvuspb.SelectGrantRequest{Entity: bad})
		requireLegacy(t, selectGrantFailed, err)
	}

	// The role's members and grants go with it, but not unasked.
	require.NoError(t, s.addUser(t, "ann"))
	require.NoError(t, s.join(t, "ann", "r", milvuspb.OperateUserRoleType_AddUserToRole))
	takes(t, p.refreshed)
	_, err := s.DropRole(within(t), &milvuspb.DropRoleRequest{RoleName: "r"})
	requireLegacy(t, dropRoleFailed, err)
	_, err = s.DropRole(within(t), &milvuspb.DropRoleRequest{RoleName: "r", ForceDrop: true})
	require.NoError(t, err)
	require.Equal(t, int32(6), takes(t, p.refreshed).GetOpType())
	_, err = s.DropRole(within(t), &milvuspb.DropRoleRequest{RoleName: "r", ForceDrop: true})
	requireLegacy(t, dropRoleFailed, err)
	policies, userRoles := s.policies(t)
	require.Len(t, policies, 3, "those of public")
	require.Empty(t, userRoles)
	require.False(t, slices.ContainsFunc(c.keysUnder(t, "root-coord/"), func(k string) bool { return strings.Contains(k, "/r/") }))
}

func TestPrivilegeGroups(t *testing.T) {
	c := newCluster(t)
	p := c.startProxy(t, 77)
	s := c.start(t)
	require.Equal(t, int32(7), takes(t, p.refreshed).GetOpType())
	add, remove := milvuspb.OperatePrivilegeGroupType_AddPrivilegesToGroup, milvuspb.OperatePrivilegeGroupType_RemovePrivilegesFromGroup
	s.addGroup(t, "mine", "Query")
	for _, name := range []string{"", "mine", "Insert", "ClusterAdmin", "ReadOnly", "*", "a/b"} {
		_, err := s.CreatePrivilegeGroup(within(t), &milvuspb.CreatePrivilegeGroupRequest{GroupName: name})
		requireLegacy(t, createGroupFailed, err, name)
		requireCode(t, 1100, err)
	}
	requireLegacy(t, groupFailed, s.group(t, "other", add, "Query"))
	requireLegacy(t, groupFailed, s.group(t, "ClusterAdmin", add, "Query"))
	requireLegacy(t, groupFailed, s.group(t, "mine", add, "Nothing"))
	requireLegacy(t, groupFailed, s.group(t, "mine", add, "CreateDatabase"), "one type of object")

	require.NoError(t, s.addRole(t, "r"))
	require.NoError(t, s.operate(t, grantRequest("r", "mine", v2)))
	takes(t, p.refreshed)
	require.NoError(t, s.group(t, "mine", add, "Search", "Query"))
	require.Equal(t, policy("r", "Collection-default.c", "Search"), takes(t, p.refreshed).GetOpKey(), "what the role gains by it")
	s.addGroup(t, "more", "Insert")
	require.NoError(t, s.group(t, "mine", add, "more"), "a group's members become its own")
	require.Equal(t, policy("r", "Collection-default.c", "Insert"), takes(t, p.refreshed).GetOpKey())
	require.NoError(t, s.group(t, "mine", remove, "Query", "Delete"))
	lost := takes(t, p.refreshed)
	require.Equal(t, int32(4), lost.GetOpType())
	require.Equal(t, policy("r", "Collection-default.c", "Query"), lost.GetOpKey())

	_, err := s.DropPrivilegeGroup(within(t), &milvuspb.DropPrivilegeGroupRequest{GroupName: "mine"})
	requireLegacy(t, dropGroupFailed, err, "a role has it")
	for range 2 {
		_, err = s.DropPrivilegeGroup(within(t), &milvuspb.DropPrivilegeGroupRequest{GroupName: "more"})
		require.NoError(t, err)
	}
	list, err := s.ListPrivilegeGroups(within(t), &milvuspb.ListPrivilegeGroupsRequest{})
	require.NoError(t, err)
	require.Len(t, list.GetPrivilegeGroups(), 10)

	resp, err := c.client.Get(within(t), c.metaRoot()+"/root-coord/privilege-group/mine")
	require.NoError(t, err)
	var info milvuspb.PrivilegeGroupInfo
	require.NoError(t, proto.Unmarshal(resp.Kvs[0].Value, &info))
	require.Equal(t, "mine", info.GetGroupName())
	require.Len(t, info.GetPrivileges(), 2)
}

// TestBackupOfAThousandGrants goes through more keys than etcd takes in one level of a transaction, in one step.
// TestWhoDidNotHearReadsAnew checks that a proxy which misses a change is told to read all grants, until it does.
func TestWhoDidNotHearReadsAnew(t *testing.T) {
	c := newCluster(t)
	p := c.startProxy(t, 77)
	s := c.start(t)
	require.Equal(t, int32(7), takes(t, p.refreshed).GetOpType())
	require.NoError(t, s.addUser(t, "ann"))
	takes(t, p.updated)
	p.setDeaf(true)
	require.NoError(t, s.join(t, "ann", "admin", milvuspb.OperateUserRoleType_AddUserToRole))
	_, err := s.UpdateCredential(within(t), &internalpb.CredentialInfo{Username: "ann", EncryptedPassword: "new", Sha256Password: "s"})
	requireLegacy(t, updateUserFailed, err, "the old password may still be let in")
	p.setDeaf(false)
	require.Equal(t, int32(7), takes(t, p.refreshed).GetOpType())
	require.Equal(t, "ann", takes(t, p.forgotten).GetUsername())
}

// TestAccessSurvivesATakeover checks that the next term has what the last one wrote, also what it cannot read.
func TestAccessSurvivesATakeover(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	require.NoError(t, s.addUser(t, "ann"))
	require.NoError(t, s.addRole(t, "r"))
	require.NoError(t, s.operate(t, grantRequest("r", "Insert")))
	require.NoError(t, s.join(t, "ann", "r", milvuspb.OperateUserRoleType_AddUserToRole))
	policies, userRoles := s.policies(t)
	s.end()
	for _, key := range []string{"credential/users/root", "privilege-group/bad"} {
		_, err := c.client.Put(within(t), c.metaRoot()+"/root-coord/"+key, "\xff")
		require.NoError(t, err)
	}
	s = c.start(t)
	again, rolesAgain := s.policies(t)
	require.Equal(t, policies, again)
	require.Equal(t, userRoles, rolesAgain)
	_, err := s.GetCredential(within(t), &rootcoordpb.GetCredentialRequest{Username: "root"})
	requireLegacy(t, getUserFailed, err)
	require.ErrorContains(t, err, "credential/users/root at revision")
	requireLegacy(t, groupFailed, s.group(t, "bad", milvuspb.OperatePrivilegeGroupType_AddPrivilegesToGroup, "Query"))
	resp, err := c.client.Get(within(t), c.metaRoot()+"/root-coord/credential/users/root")
	require.NoError(t, err)
	require.Equal(t, "\xff", string(resp.Kvs[0].Value), "nothing is written over it")
}

func TestListsAreFilteredByGrants(t *testing.T) {
	c := newCluster(t)
	rules := testRules()
	rules.Enforced = true
	rules.Roles = []access.DeclaredRole{{Name: "reader", Grants: []rbac.Grant{
		{Role: "reader", Privilege: "Query", Grantor: rbac.Root, Object: rbac.Object{Type: rbac.Collection, Database: "default", Name: "seen"}},
	}}}
	s := c.startWith(t, rules)
	s.create(t, "seen")
	s.create(t, "hidden")
	s.createDatabase(t, "other")
	for _, name := range []string{"ann", "boss", "nobody"} {
		require.NoError(t, s.addUser(t, name))
	}
	require.NoError(t, s.join(t, "ann", "reader", milvuspb.OperateUserRoleType_AddUserToRole))
	require.NoError(t, s.join(t, "boss", "admin", milvuspb.OperateUserRoleType_AddUserToRole))
	for user, want := range map[string][2][]string{
		"":       {{"default", "other"}, {"hidden", "seen"}}, // a coordinator, not a proxy for a user
		"root":   {{"default", "other"}, {"hidden", "seen"}},
		"boss":   {{"default", "other"}, {"hidden", "seen"}},
		"ann":    {{"default"}, {"seen"}},
		"nobody": {nil, nil},
	} {
		ctx := within(t)
		if user != "" {
			ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("authorization", base64.StdEncoding.EncodeToString([]byte(user+":secret"))))
		}
		require.ElementsMatch(t, want[0], s.databasesFor(ctx, t), user)
		resp, err := s.ShowCollections(ctx, &milvuspb.ShowCollectionsRequest{Base: base(commonpb.MsgType_ShowCollections)})
		require.NoError(t, err)
		require.ElementsMatch(t, want[1], resp.GetCollectionNames(), user)
	}
	_, err := s.DropRole(within(t), &milvuspb.DropRoleRequest{RoleName: "reader", ForceDrop: true})
	requireCode(t, 1401, err)
}

func (s *server) databasesFor(ctx context.Context, t testing.TB) []string {
	t.Helper()
	resp, err := s.ListDatabases(ctx, &milvuspb.ListDatabasesRequest{Base: base(commonpb.MsgType_ListDatabases)})
	require.NoError(t, err)
	return resp.GetDbNames()
}
