package rootcoord

import (
	"fmt"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/rbac"
)

func TestBackupOfAThousandGrants(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	backup := &milvuspb.RBACMeta{
		Users:           []*milvuspb.UserInfo{{User: "ann", Password: "hash", Roles: []*milvuspb.RoleEntity{{Name: "r"}}}},
		Roles:           []*milvuspb.RoleEntity{{Name: "r"}},
		PrivilegeGroups: []*milvuspb.PrivilegeGroupInfo{{GroupName: "mine", Privileges: []*milvuspb.PrivilegeEntity{{Name: "Query"}}}},
	}
	for i := range 500 {
		e := grantRequest("r", "mine", func(r *milvuspb.OperatePrivilegeRequest) {
			r.Entity.DbName, r.Entity.Object.Name, r.Entity.ObjectName = "default", rbac.Global, fmt.Sprintf("c%03d", i)
		}).GetEntity()
		backup.Grants = append(backup.Grants, e)
	}
	before := c.revision(t)
	restore := func(b *milvuspb.RBACMeta) error {
		_, err := s.RestoreRBAC(within(t), &milvuspb.RestoreRBACMetaRequest{RBACMeta: b})
		return err
	}
	require.NoError(t, restore(backup))
	require.Equal(t, before+1, c.revision(t), "one transaction")
	requireLegacy(t, privilegeFailed, restore(backup), "it exists")
	got, err := s.BackupRBAC(within(t), &milvuspb.BackupRBACMetaRequest{})
	require.NoError(t, err)
	require.True(t, proto.Equal(backup, got.GetRBACMeta()))

	for what, bad := range map[string]*milvuspb.RBACMeta{
		"a role that is not there": {Users: []*milvuspb.UserInfo{{User: "u", Password: "h", Roles: []*milvuspb.RoleEntity{{Name: "none"}}}}},
		"no privilege":             {Roles: []*milvuspb.RoleEntity{{Name: "x"}}, Grants: []*milvuspb.GrantEntity{grantRequest("x", "Nothing").GetEntity()}},
		"a user twice":             {Users: []*milvuspb.UserInfo{{User: "u", Password: "h"}, {User: "u", Password: "h"}}},
		"a name with a slash":      {Roles: []*milvuspb.RoleEntity{{Name: "x/y"}}},
	} {
		requireLegacy(t, privilegeFailed, restore(bad), what)
	}
	before = c.revision(t)
	_, err = s.DropRole(within(t), &milvuspb.DropRoleRequest{RoleName: "r", ForceDrop: true})
	require.NoError(t, err)
	require.Equal(t, before+1, c.revision(t), "one transaction")
	policies, userRoles := s.policies(t)
	require.Len(t, policies, 3)
	require.Empty(t, userRoles)
}

// revision is etcd's.
func (c *cluster) revision(t testing.TB) int64 {
	t.Helper()
	resp, err := c.client.Get(within(t), "any")
	require.NoError(t, err)
	return resp.Header.Revision
}

// There are more grants than any transaction can hold, and none is left for the next role of that name.
func TestARoleOfAnySizeIsDropped(t *testing.T) {
	c := newCluster(t)
	s := c.start(t)
	before := c.keysUnder(t, "root-coord/credential/")
	require.NoError(t, s.addRole(t, "r"))
	for part := range 3 {
		var grants []rbac.Grant
		for i := range 700 {
			grants = append(grants, rbac.Grant{Role: "r", Privilege: "Query", Grantor: rbac.Root, Object: rbac.Object{
				Type: rbac.Collection, Database: rbac.DefaultDatabase, Name: fmt.Sprintf("c%d_%d", part, i),
			}})
		}
		require.NoError(t, s.aliasHandlers.access.Writer.Grant(within(t), grants...))
	}
	_, err := s.DropRole(within(t), &milvuspb.DropRoleRequest{RoleName: "r", ForceDrop: true})
	require.NoError(t, err)
	require.Equal(t, before, c.keysUnder(t, "root-coord/credential/"))
}
