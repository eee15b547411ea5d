package access

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/milvus-io/milvus/pkg/v2/proto/internalpb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/rbac"
)

// OperatePrivilege gives a role a privilege or takes it away. What is so already is a success.
func (h *Handlers) OperatePrivilege(ctx context.Context, req *milvuspb.OperatePrivilegeRequest) (*commonpb.Status, error) {
	return status(h.Change(ctx, repeatable, func(ctx context.Context) error {
		var g rbac.Grant
		var refused error
		h.Tables.Read(func(t *rbac.Tables) { g, refused = h.grantOf(t, req) })
		if refused != nil {
			return refused
		}
		return h.changeGrants(ctx, func(ctx context.Context) error {
			var err error
			switch req.GetType() {
			case milvuspb.OperatePrivilegeType_Grant:
				err = h.Writer.Grant(ctx, g)
			case milvuspb.OperatePrivilegeType_Revoke:
				err = h.Writer.Revoke(ctx, g)
			default:
				err = fmt.Errorf("unknown operation %d on a role's privileges", req.GetType())
			}
			if err == nil {
				failpoint.Reach(failpoint.GrantWritten)
			}
			return err
		})
	}), commonpb.ErrorCode_OperatePrivilegeFailure)
}

// grantOf is the grant that a request is about.
func (h *Handlers) grantOf(t *rbac.Tables, req *milvuspb.OperatePrivilegeRequest) (rbac.Grant, error) {
	entity := req.GetEntity()
	g := rbac.Grant{
		Role:      entity.GetRole().GetName(),
		Privilege: entity.GetGrantor().GetPrivilege().GetName(),
		Grantor:   entity.GetGrantor().GetUser().GetName(),
		Object: rbac.Object{
			Type: entity.GetObject().GetName(), Database: databaseOr(entity.GetDbName(), rbac.DefaultDatabase), Name: entity.GetObjectName(),
		},
	}
	if err := checkObject(g.Object); err != nil {
		return g, err
	}
	if err := mustExist(t, g.Role); err != nil {
		return g, err
	}
	if _, exists, err := t.User(g.Grantor); err != nil || !exists {
		return g, errors.Join(err, fmt.Errorf("there is no user %q, who is to be the grantor", g.Grantor))
	}
	switch req.GetVersion() {
	case "":
		return h.typedGrant(g)
	case "v2":
		_, custom, err := t.Group(g.Privilege)
		if err != nil {
			return g, err
		}
		if !custom && !rbac.Defined(g.Privilege) {
			return g, fmt.Errorf("there is no privilege and no privilege group %q", g.Privilege)
		}
		g.Object.Type = rbac.TypeOf(g.Privilege)
		return g, nil
	default:
		return g, fmt.Errorf("unknown version %q of the call", req.GetVersion())
	}
}

// typedGrant checks a grant of the first form of the call, which names the type of the object.
func (h *Handlers) typedGrant(g rbac.Grant) (rbac.Grant, error) {
	switch _, leveled := h.rules.Groups[g.Privilege]; {
	case !rbac.KnownType(g.Object.Type):
		return g, fmt.Errorf("there is no object type %q, only Collection, Global and User", g.Object.Type)
	case leveled:
		return g, fmt.Errorf("the privilege group %s is granted by the call's second version alone", g.Privilege)
	case !rbac.Defined(g.Privilege):
		return g, fmt.Errorf("there is no privilege %q", g.Privilege)
	case g.Privilege != rbac.Any && rbac.TypeOf(g.Privilege) != g.Object.Type:
		return g, fmt.Errorf("the privilege %s is not one on an object of the type %s", g.Privilege, g.Object.Type)
	}
	if g.Object.Type == rbac.Global && !rbac.IsGroup(g.Privilege) {
		g.Object.Name = rbac.Any
	}
	return g, nil
}

func checkObject(o rbac.Object) error {
	switch {
	case o.Name == "":
		return errors.New("the name of the object is empty")
	case strings.ContainsAny(o.Database+o.Type+o.Name, "/|"):
		return fmt.Errorf("%s.%s of the type %s cannot be an object: there is a slash or a bar in it", o.Database, o.Name, o.Type)
	}
	return nil
}

func databaseOr(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

// SelectGrant lists what a role has been granted, on all objects of a database or on one.
func (h *Handlers) SelectGrant(_ context.Context, req *milvuspb.SelectGrantRequest) (*milvuspb.SelectGrantResponse, error) {
	entity := req.GetEntity()
	role, object := entity.GetRole().GetName(), entity.GetObject()
	database := databaseOr(entity.GetDbName(), rbac.DefaultDatabase)
	resp := &milvuspb.SelectGrantResponse{Status: errs.Success()}
	var err error
	if object != nil && !rbac.KnownType(object.GetName()) {
		err = fmt.Errorf("there is no object type %q, only Collection, Global and User", object.GetName())
	} else {
		h.Tables.Read(func(t *rbac.Tables) {
			if err = mustExist(t, role); err != nil {
				return
			}
			for _, g := range t.Grants(role) {
				of := g.Object
				if of.Database != database && of.Database != rbac.Any && database != rbac.Any {
					continue
				}
				if object != nil && entity.GetObjectName() != "" && (of.Type != object.GetName() || of.Name != entity.GetObjectName()) {
					continue
				}
				resp.Entities = append(resp.Entities, grantEntity(g))
			}
		})
	}
	if err != nil {
		return nil, legacy(err, commonpb.ErrorCode_SelectGrantFailure)
	}
	return resp, nil
}

func grantEntity(g rbac.Grant) *milvuspb.GrantEntity {
	return &milvuspb.GrantEntity{
		Role: &milvuspb.RoleEntity{Name: g.Role}, Object: &milvuspb.ObjectEntity{Name: g.Object.Type},
		ObjectName: g.Object.Name, DbName: g.Object.Database,
		Grantor: &milvuspb.GrantorEntity{
			User: &milvuspb.UserEntity{Name: g.Grantor}, Privilege: &milvuspb.PrivilegeEntity{Name: g.Privilege},
		},
	}
}

// ListPolicy gives a proxy all that it has to enforce: the grants with groups expanded, and who has which role.
func (h *Handlers) ListPolicy(context.Context, *internalpb.ListPolicyRequest) (*internalpb.ListPolicyResponse, error) {
	resp := &internalpb.ListPolicyResponse{Status: errs.Success()}
	h.Tables.Read(func(t *rbac.Tables) {
		resp.PolicyInfos = texts(t.Policies(h.rules.Groups))
		for _, m := range t.Memberships() {
			resp.UserRoles = append(resp.UserRoles, m.User+"/"+m.Role)
		}
		resp.PrivilegeGroups = h.groupInfos(t)
	})
	return resp, nil
}
