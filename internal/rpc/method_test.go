package rpc

import (
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/stretchr/testify/require"
)

// Milvus counts some calls apart by what they do. What a caller made up must not make a series each.
func TestKindsOfCalls(t *testing.T) {
	for want, requests := range map[string][]any{
		"AddUserToRole":        {&milvuspb.OperateUserRoleRequest{}},
		"RemoveUserFromRole":   {&milvuspb.OperateUserRoleRequest{Type: milvuspb.OperateUserRoleType_RemoveUserFromRole}},
		"AddPrivilegesToGroup": {&milvuspb.OperatePrivilegeGroupRequest{}},
		"": {
			nil, &milvuspb.CreateCollectionRequest{}, &milvuspb.OperateUserRoleRequest{Type: 4711},
			&milvuspb.OperatePrivilegeGroupRequest{Type: 4711},
		},
	} {
		for _, r := range requests {
			require.Equal(t, want, kindOf(r), "%T", r)
		}
	}
}
