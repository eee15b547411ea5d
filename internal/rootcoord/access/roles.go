package access

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/rbac"
)

// CreateRole creates a role.
func (h *Handlers) CreateRole(ctx context.Context, req *milvuspb.CreateRoleRequest) (*commonpb.Status, error) {
	name := req.GetEntity().GetName()
	err := checkName("role", name)
	if err == nil {
		err = h.Change(ctx, once, func(ctx context.Context) error {
			var refused error
			h.Tables.Read(func(t *rbac.Tables) {
				if t.HasRole(name) {
					refused = fmt.Errorf("role already exists: %s", name)
				} else if len(t.Roles()) >= h.rules.MaxRoles {
					refused = fmt.Errorf("unable to create role because the number of roles has reached the limit %d", h.rules.MaxRoles)
				}
			})
			if refused != nil {
				return refused
			}
			if err := h.Writer.CreateRole(ctx, name); err != nil {
				return err
			}
			failpoint.Reach(failpoint.RoleWritten)
			return nil
		})
	}
	return status(err, commonpb.ErrorCode_CreateRoleFailure)
}

// DropRole drops a role with its memberships; with its grants if it is told to, else it must have none.
func (h *Handlers) DropRole(ctx context.Context, req *milvuspb.DropRoleRequest) (*commonpb.Status, error) {
	name := req.GetRoleName()
	if slices.ContainsFunc(h.rules.Roles, func(r DeclaredRole) bool { return r.Name == name }) {
		return nil, errs.PrivilegeNotPermitted.With("the role is declared by the configuration", errs.F("role", name))
	}
	err := checkName("role", name)
	if err == nil {
		err = h.Change(ctx, once, func(ctx context.Context) error {
			var refused error
			h.Tables.Read(func(t *rbac.Tables) {
				if refused = mustExist(t, name); refused == nil && !req.GetForceDrop() && t.HasGrants(name) {
					refused = fmt.Errorf("fail to drop role %s: it still has grants", name)
				}
			})
			if refused != nil {
				return refused
			}
			if err := h.Writer.DropRole(ctx, name); err != nil {
				h.RefreshLater() // some of its grants may be gone
				return err
			}
			failpoint.Reach(failpoint.RoleDropped)
			h.tell(ctx, opDropRole, name)
			return nil
		})
	}
	return status(err, commonpb.ErrorCode_DropRoleFailure)
}

func mustExist(t *rbac.Tables, role string) error {
	if !t.HasRole(role) {
		return fmt.Errorf("there is no role %q", role)
	}
	return nil
}

// OperateUserRole gives a user a role or takes it away. What is so already is a success.
func (h *Handlers) OperateUserRole(ctx context.Context, req *milvuspb.OperateUserRoleRequest) (*commonpb.Status, error) {
	err := errors.Join(checkName("user", req.GetUsername()), checkName("role", req.GetRoleName()))
	if err == nil {
		err = h.Change(ctx, repeatable, func(ctx context.Context) error { return h.operateMembership(ctx, req) })
	}
	return status(err, commonpb.ErrorCode_OperateUserRoleFailure)
}

func (h *Handlers) operateMembership(ctx context.Context, req *milvuspb.OperateUserRoleRequest) error {
	user, role := req.GetUsername(), req.GetRoleName()
	adding := req.GetType() == milvuspb.OperateUserRoleType_AddUserToRole
	if !adding && req.GetType() != milvuspb.OperateUserRoleType_RemoveUserFromRole {
		return fmt.Errorf("unknown operation %d on a user's roles", req.GetType())
	}
	var refused error
	h.Tables.Read(func(t *rbac.Tables) {
		if refused = mustExist(t, role); refused != nil || !adding {
			return
		}
		if _, exists, err := t.User(user); err != nil || !exists {
			refused = errors.Join(err, fmt.Errorf("there is no user %q", user))
		}
	})
	if refused != nil {
		return refused
	}
	write, op := h.Writer.Join, int32(opJoin)
	if !adding {
		write, op = h.Writer.Leave, opLeave
	}
	if err := write(ctx, user, role); err != nil {
		return err
	}
	failpoint.Reach(failpoint.MembershipWritten)
	h.tell(ctx, op, user+"/"+role)
	return nil
}

// SelectRole lists roles, or the one that is asked for, with their users if asked.
func (h *Handlers) SelectRole(_ context.Context, req *milvuspb.SelectRoleRequest) (*milvuspb.SelectRoleResponse, error) {
	resp := &milvuspb.SelectRoleResponse{Status: errs.Success()}
	if req.GetRole() != nil && req.GetRole().GetName() == "" {
		return nil, legacy(errors.New("the name of the role is empty"), commonpb.ErrorCode_SelectRoleFailure)
	}
	h.Tables.Read(func(t *rbac.Tables) {
		roles := t.Roles()
		if req.GetRole() != nil {
			roles = []string{req.GetRole().GetName()}
			if !t.HasRole(roles[0]) {
				return
			}
		}
		for _, name := range roles {
			one := &milvuspb.RoleResult{Role: &milvuspb.RoleEntity{Name: name}}
			if req.GetIncludeUserInfo() {
				for _, user := range t.UsersOf(name) {
					one.Users = append(one.Users, &milvuspb.UserEntity{Name: user})
				}
			}
			resp.Results = append(resp.Results, one)
		}
	})
	return resp, nil
}
