package access

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/failpoint"
	"github.com/milvus-coord/milvus/internal/rbac"
)

func everyClusterHas(role string) bool { return role == rbac.Admin || role == rbac.Public }

// BackupRBAC gives all that is not in every cluster: users but root, roles but admin and public, their grants, custom
// groups.
func (h *Handlers) BackupRBAC(context.Context, *milvuspb.BackupRBACMetaRequest) (*milvuspb.BackupRBACMetaResponse, error) {
	backup := &milvuspb.RBACMeta{}
	var err error
	h.Tables.Read(func(t *rbac.Tables) {
		for _, name := range t.Users() {
			if name == rbac.Root {
				continue
			}
			var hash string
			if hash, _, err = t.User(name); err != nil {
				return
			}
			backup.Users = append(backup.Users, &milvuspb.UserInfo{User: name, Password: hash, Roles: roleEntities(t.RolesOf(name))})
		}
		for _, role := range t.Roles() {
			if everyClusterHas(role) {
				continue
			}
			backup.Roles = append(backup.Roles, &milvuspb.RoleEntity{Name: role})
			for _, g := range t.Grants(role) {
				backup.Grants = append(backup.Grants, grantEntity(g))
			}
		}
		groups := t.Groups()
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			backup.PrivilegeGroups = append(backup.PrivilegeGroups, groupInfo(name, groups[name]))
		}
	})
	if err != nil {
		return nil, err
	}
	return &milvuspb.BackupRBACMetaResponse{Status: errs.Success(), RBACMeta: backup}, nil
}

// RestoreRBAC adds what a backup holds, all of it or, if anything of it exists already or is wrong, nothing.
func (h *Handlers) RestoreRBAC(ctx context.Context, req *milvuspb.RestoreRBACMetaRequest) (*commonpb.Status, error) {
	return status(h.Change(ctx, once, func(ctx context.Context) error {
		var b rbac.Backup
		var err error
		h.Tables.Read(func(t *rbac.Tables) { b, err = h.backupOf(t, req.GetRBACMeta()) })
		if err != nil {
			return err
		}
		if err := h.Writer.Restore(ctx, b); err != nil {
			return err
		}
		failpoint.Reach(failpoint.AccessRestored)
		h.tell(ctx, opRefreshAll, "")
		return nil
	}), commonpb.ErrorCode_OperatePrivilegeFailure)
}

// backupOf checks a backup against what is there, and against itself.
func (h *Handlers) backupOf(t *rbac.Tables, meta *milvuspb.RBACMeta) (rbac.Backup, error) {
	b := rbac.Backup{Groups: rbac.Groups{}}
	roles := map[string]bool{rbac.Admin: t.HasRole(rbac.Admin), rbac.Public: t.HasRole(rbac.Public)}
	var wrong []error
	for _, r := range meta.GetRoles() {
		name := r.GetName()
		if err := checkName("role", name); err != nil {
			wrong = append(wrong, err)
		}
		if t.HasRole(name) || roles[name] {
			wrong = append(wrong, fmt.Errorf("role already exists: %s", name))
		}
		roles[name] = true
		b.Roles = append(b.Roles, name)
	}
	for _, info := range meta.GetPrivilegeGroups() {
		wrong = append(wrong, h.addGroup(t, &b, info))
	}
	for _, entity := range meta.GetGrants() {
		g, err := restoredGrant(entity, b.Groups, t)
		if err == nil && !roles[g.Role] {
			err = fmt.Errorf("a grant is of the role %q, which is not restored", g.Role)
		}
		wrong = append(wrong, err)
		b.Grants = append(b.Grants, g)
	}
	wrong = append(wrong, addUsers(t, &b, meta.GetUsers(), roles))
	return b, errors.Join(wrong...)
}

func (h *Handlers) addGroup(t *rbac.Tables, b *rbac.Backup, info *milvuspb.PrivilegeGroupInfo) error {
	name := info.GetGroupName()
	if err := h.groupNameIsFree(t, name); err != nil {
		return err
	}
	members := []string{}
	for _, p := range info.GetPrivileges() {
		if !rbac.Defined(p.GetName()) {
			return fmt.Errorf("privilege group %s: there is no privilege %q", name, p.GetName())
		}
		members = append(members, p.GetName())
	}
	b.Groups[name] = members
	return nil
}

func restoredGrant(entity *milvuspb.GrantEntity, restored rbac.Groups, t *rbac.Tables) (rbac.Grant, error) {
	g := rbac.Grant{
		Role: entity.GetRole().GetName(), Privilege: entity.GetGrantor().GetPrivilege().GetName(),
		Grantor: entity.GetGrantor().GetUser().GetName(),
		Object: rbac.Object{
			Type: entity.GetObject().GetName(), Database: databaseOr(entity.GetDbName(), rbac.DefaultDatabase), Name: entity.GetObjectName(),
		},
	}
	if err := checkObject(g.Object); err != nil {
		return g, err
	}
	_, fresh := restored[g.Privilege]
	_, there, err := t.Group(g.Privilege)
	if err != nil {
		return g, err
	}
	if !fresh && !there && !rbac.Defined(g.Privilege) {
		return g, fmt.Errorf("there is no privilege and no privilege group %q", g.Privilege)
	}
	if !rbac.KnownType(g.Object.Type) {
		g.Object.Type = rbac.TypeOf(g.Privilege)
	}
	return g, nil
}

func addUsers(t *rbac.Tables, b *rbac.Backup, users []*milvuspb.UserInfo, roles map[string]bool) error {
	var wrong []error
	seen := map[string]bool{}
	for _, u := range users {
		name := u.GetUser()
		if err := checkName("user", name); err != nil {
			wrong = append(wrong, err)
		}
		if _, exists, err := t.User(name); exists || err != nil || seen[name] {
			wrong = append(wrong, errors.Join(err, fmt.Errorf("user already exists: %s", name)))
		}
		seen[name] = true
		b.Users = append(b.Users, rbac.Account{Name: name, Hash: u.GetPassword()})
		for _, role := range u.GetRoles() {
			if !roles[role.GetName()] && !t.HasRole(role.GetName()) {
				wrong = append(wrong, fmt.Errorf("user %s has the role %q, which is not restored", name, role.GetName()))
			}
			b.Memberships = append(b.Memberships, rbac.Membership{User: name, Role: role.GetName()})
		}
	}
	return errors.Join(wrong...)
}
