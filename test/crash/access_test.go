package crash

import (
	"context"
	"fmt"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"
)

func addUser(ctx context.Context, c client) error {
	return outcome(c.CreateCredential(ctx, &internalpb.CredentialInfo{Username: "u", EncryptedPassword: "hash"}))
}

func dropUser(ctx context.Context, c client) error {
	return outcome(c.DeleteCredential(ctx, &milvuspb.DeleteCredentialRequest{Username: "u"}))
}

func addRole(ctx context.Context, c client) error {
	return outcome(c.CreateRole(ctx, &milvuspb.CreateRoleRequest{Entity: &milvuspb.RoleEntity{Name: "r"}}))
}

func dropRole(ctx context.Context, c client) error {
	return outcome(c.DropRole(ctx, &milvuspb.DropRoleRequest{RoleName: "r", ForceDrop: true}))
}

func join(ctx context.Context, c client) error {
	return outcome(c.OperateUserRole(ctx, &milvuspb.OperateUserRoleRequest{Username: "u", RoleName: "r"}))
}

func grantOn(object string) *milvuspb.GrantEntity {
	return &milvuspb.GrantEntity{
		Role: &milvuspb.RoleEntity{Name: "r"}, Object: &milvuspb.ObjectEntity{Name: "Collection"}, ObjectName: object, DbName: "default",
		Grantor: &milvuspb.GrantorEntity{User: &milvuspb.UserEntity{Name: "root"}, Privilege: &milvuspb.PrivilegeEntity{Name: "Insert"}},
	}
}

func grant(ctx context.Context, c client) error {
	return outcome(c.OperatePrivilege(ctx, &milvuspb.OperatePrivilegeRequest{Entity: grantOn("c")}))
}

func addGroup(ctx context.Context, c client) error {
	return outcome(c.CreatePrivilegeGroup(ctx, &milvuspb.CreatePrivilegeGroupRequest{GroupName: "g"}))
}

// restoreAccess is about more keys than one level of a transaction holds.
func restoreAccess(ctx context.Context, c client) error {
	meta := &milvuspb.RBACMeta{Roles: []*milvuspb.RoleEntity{{Name: "r"}}}
	for i := range 100 {
		meta.Grants = append(meta.Grants, grantOn(fmt.Sprintf("c%d", i)))
	}
	return outcome(c.RestoreRBAC(ctx, &milvuspb.RestoreRBACMetaRequest{RBACMeta: meta}))
}

func hasUser(ctx context.Context, c client) (bool, error) {
	resp, err := c.SelectUser(ctx, &milvuspb.SelectUserRequest{User: &milvuspb.UserEntity{Name: "u"}})
	return len(resp.GetResults()) == 1, outcome(resp.GetStatus(), err)
}

func hasRole(ctx context.Context, c client) (bool, error) {
	resp, err := c.SelectRole(ctx, &milvuspb.SelectRoleRequest{Role: &milvuspb.RoleEntity{Name: "r"}})
	return len(resp.GetResults()) == 1, outcome(resp.GetStatus(), err)
}

func isMember(ctx context.Context, c client) (bool, error) {
	resp, err := c.ListPolicy(ctx, &internalpb.ListPolicyRequest{})
	return len(resp.GetUserRoles()) == 1, outcome(resp.GetStatus(), err)
}

// hasGrant looks for more policies than the three that everybody has.
func hasGrant(ctx context.Context, c client) (bool, error) {
	resp, err := c.ListPolicy(ctx, &internalpb.ListPolicyRequest{})
	return len(resp.GetPolicyInfos()) > 3, outcome(resp.GetStatus(), err)
}

func hasGroup(ctx context.Context, c client) (bool, error) {
	resp, err := c.ListPrivilegeGroups(ctx, &milvuspb.ListPrivilegeGroupsRequest{})
	return len(resp.GetPrivilegeGroups()) == 10, outcome(resp.GetStatus(), err)
}
