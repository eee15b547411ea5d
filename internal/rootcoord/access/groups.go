package access

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/rbac"
)

// CreatePrivilegeGroup creates an empty custom group.
func (h *Handlers) CreatePrivilegeGroup(
	ctx context.Context, req *milvuspb.CreatePrivilegeGroupRequest,
) (*commonpb.Status, error) {
	name := req.GetGroupName()
	return status(h.Change(ctx, once, func(ctx context.Context) error {
		var refused error
		h.Tables.Read(func(t *rbac.Tables) { refused = h.groupNameIsFree(t, name) })
		if refused != nil {
			return refused
		}
		if err := h.Writer.PutGroup(ctx, name, nil); err != nil {
			return err
		}
		failpoint.Reach(failpoint.GroupWritten)
		return nil
	}), commonpb.ErrorCode_CreatePrivilegeGroupFailure)
}

func (h *Handlers) groupNameIsFree(t *rbac.Tables, name string) error {
	if err := checkName("privilege group", name); err != nil {
		return errs.ParameterInvalid.Withf("%v", err)
	}
	if _, leveled := h.rules.Groups[name]; leveled || rbac.Defined(name) {
		return errs.ParameterInvalid.Withf("%s is the name of a privilege, or of a group that every cluster has", name)
	}
	_, exists, err := t.Group(name)
	if err == nil && exists {
		err = errs.ParameterInvalid.Withf("privilege group %s already exists", name)
	}
	return err
}

// DropPrivilegeGroup drops a custom group that no role has. One that does not exist is dropped already.
func (h *Handlers) DropPrivilegeGroup(ctx context.Context, req *milvuspb.DropPrivilegeGroupRequest) (*commonpb.Status, error) {
	name := req.GetGroupName()
	return status(h.Change(ctx, repeatable, func(ctx context.Context) error {
		if err := checkName("privilege group", name); err != nil {
			return errs.ParameterInvalid.Withf("%v", err)
		}
		var roles []string
		h.Tables.Read(func(t *rbac.Tables) { roles = t.RolesWith(name) })
		if len(roles) > 0 {
			return errs.ParameterInvalid.Withf("privilege group %s is granted to %s", name, strings.Join(roles, ", "))
		}
		if err := h.Writer.DropGroup(ctx, name); err != nil {
			return err
		}
		failpoint.Reach(failpoint.GroupWritten)
		return nil
	}), commonpb.ErrorCode_DropPrivilegeGroupFailure)
}

// ListPrivilegeGroups lists the custom groups and those that every cluster has.
func (h *Handlers) ListPrivilegeGroups(
	context.Context, *milvuspb.ListPrivilegeGroupsRequest,
) (*milvuspb.ListPrivilegeGroupsResponse, error) {
	resp := &milvuspb.ListPrivilegeGroupsResponse{Status: errs.Success()}
	h.Tables.Read(func(t *rbac.Tables) { resp.PrivilegeGroups = h.groupInfos(t) })
	return resp, nil
}

func (h *Handlers) groupInfos(t *rbac.Tables) []*milvuspb.PrivilegeGroupInfo {
	groups := t.Groups()
	maps.Copy(groups, h.rules.Groups)
	var all []*milvuspb.PrivilegeGroupInfo
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		all = append(all, groupInfo(name, groups[name]))
	}
	return all
}

func groupInfo(name string, members []string) *milvuspb.PrivilegeGroupInfo {
	info := &milvuspb.PrivilegeGroupInfo{GroupName: name}
	for _, member := range members {
		info.Privileges = append(info.Privileges, &milvuspb.PrivilegeEntity{Name: member})
	}
	return info
}

// OperatePrivilegeGroup adds privileges to a custom group or removes them. What a member that is a group itself contains
// counts, now and not later. Roles that have the group gain or lose with it.
func (h *Handlers) OperatePrivilegeGroup(
	ctx context.Context, req *milvuspb.OperatePrivilegeGroupRequest,
) (*commonpb.Status, error) {
	return status(h.Change(ctx, repeatable, func(ctx context.Context) error {
		members, err := h.membersAfter(req)
		if err != nil {
			return err
		}
		return h.changeGrants(ctx, func(ctx context.Context) error {
			if err := h.Writer.PutGroup(ctx, req.GetGroupName(), members); err != nil {
				return err
			}
			failpoint.Reach(failpoint.GroupWritten)
			return nil
		})
	}), commonpb.ErrorCode_OperatePrivilegeGroupFailure)
}

// membersAfter are the members that a group has when the request is done.
func (h *Handlers) membersAfter(req *milvuspb.OperatePrivilegeGroupRequest) ([]string, error) {
	name := req.GetGroupName()
	var members, named []string
	var err error
	h.Tables.Read(func(t *rbac.Tables) {
		var exists bool
		if members, exists, err = t.Group(name); err != nil {
			return
		}
		if !exists {
			err = errs.ParameterInvalid.Withf("there is no custom privilege group %q", name)
			return
		}
		groups := t.Groups()
		maps.Copy(groups, h.rules.Groups)
		for _, p := range req.GetPrivileges() {
			if _, group := groups[p.GetName()]; !group && !rbac.Defined(p.GetName()) {
				err = errs.ParameterInvalid.Withf("there is no privilege and no privilege group %q", p.GetName())
				return
			}
			named = append(named, p.GetName())
		}
		named = groups.Expand(named)
	})
	if err != nil {
		return nil, err
	}
	switch req.GetType() {
	case milvuspb.OperatePrivilegeGroupType_AddPrivilegesToGroup:
		members = rbac.Groups{}.Expand(append(members, named...))
		return members, oneType(members)
	case milvuspb.OperatePrivilegeGroupType_RemovePrivilegesFromGroup:
		return slices.DeleteFunc(members, func(m string) bool { return slices.Contains(named, m) }), nil
	default:
		return nil, fmt.Errorf("unknown operation %d on a privilege group", req.GetType())
	}
}

// oneType refuses privileges on objects of several types.
func oneType(privileges []string) error {
	for _, p := range privileges {
		if a, b := rbac.TypeOf(privileges[0]), rbac.TypeOf(p); a != b {
			return errs.ParameterInvalid.Withf("%s is a privilege on an object of the type %s, %s of the type %s: a group has one type",
				privileges[0], a, p, b)
		}
	}
	return nil
}
