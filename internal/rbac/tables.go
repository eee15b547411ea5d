package rbac

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
)

// Object is what a grant is about.
type Object struct {
	Type     string
	Database string
	Name     string
}

// Grant is a privilege, or a group of them, that a role has on an object.
type Grant struct {
	Role      string
	Object    Object
	Privilege string // as users know it
	Grantor   string
}

// Tables are the records at one revision, within a Read of their set.
type Tables struct {
	keys       Keys
	users      *metatable.Table[string]   // bcrypt hashes
	roles      *metatable.Table[struct{}] // Milvus stores no value
	members    *metatable.Table[struct{}]
	objects    *metatable.Table[string] // grant ids
	privileges *metatable.Table[string] // grantors
	groups     *metatable.Table[*milvuspb.PrivilegeGroupInfo]
	kinds      map[string]tableset.Table
	revisions  map[string]func(key string) (int64, error) // by kind
}

// NewTables makes an empty state for a follower of keys.Prefixes, or of a range around them.
func NewTables(keys Keys) *tableset.Set[*Tables] {
	return tableset.New(func() *Tables {
		t := &Tables{keys: keys, kinds: map[string]tableset.Table{}, revisions: map[string]func(string) (int64, error){}}
		add := func(kind string, shape tableset.Shape, make tableset.Maker) {
			prefix := keys.MetaRoot + kind
			t.kinds[prefix] = make(tableset.Kind{Prefix: prefix, Shape: shape, MayBeEmpty: kind != usersKind && kind != objectsKind})
		}
		add(usersKind, "n", tableset.Values(&t.users, decodeUser))
		add(rolesKind, "n", tableset.Values(&t.roles, decodeNothing))
		add(membersKind, "nn", tableset.Values(&t.members, decodeNothing))
		add(objectsKind, "nnn", tableset.Values(&t.objects, decodeText))
		add(privilegesKind, "nn", tableset.Values(&t.privileges, decodeText))
		add(groupsKind, "n", tableset.Message(&t.groups))
		t.revisions[keys.MetaRoot+usersKind] = revisionIn(t.users)
		t.revisions[keys.MetaRoot+rolesKind] = revisionIn(t.roles)
		t.revisions[keys.MetaRoot+membersKind] = revisionIn(t.members)
		t.revisions[keys.MetaRoot+objectsKind] = revisionIn(t.objects)
		t.revisions[keys.MetaRoot+privilegesKind] = revisionIn(t.privileges)
		t.revisions[keys.MetaRoot+groupsKind] = revisionIn(t.groups)
		return t
	})
}

// Kinds implements tableset.Group.
func (t *Tables) Kinds() map[string]tableset.Table { return t.kinds }

func revisionIn[V any](table *metatable.Table[V]) func(key string) (int64, error) {
	return func(key string) (int64, error) {
		row, _, err := table.Get(key)
		return row.ModRevision, err
	}
}

// revision is that of what lies at key, 0 if nothing does. The error is a metatable.Quarantined.
func (t *Tables) revision(key string) (int64, error) {
	for prefix, of := range t.revisions {
		if strings.HasPrefix(key, prefix) {
			return of(key)
		}
	}
	return 0, errors.New("rbac: no table holds " + key)
}

// credential is a user's record.
type credential struct {
	Password string `json:"encrypted_password,omitempty"`
}

func decodeUser(_ string, value []byte) (string, error) {
	var c credential
	if err := json.Unmarshal(value, &c); err != nil {
		return "", err
	}
	return c.Password, nil
}

func decodeNothing(string, []byte) (struct{}, error) { return struct{}{}, nil }

func decodeText(_ string, value []byte) (string, error) { return string(value), nil }

// User is a user's bcrypt hash. The error is about a record that does not decode.
func (t *Tables) User(name string) (hash string, found bool, err error) {
	row, found, err := t.users.Get(t.keys.user(name))
	return row.Value, found, err
}

// Users lists the users by name.
func (t *Tables) Users() []string { return names(t.users, t.keys.user("")) }

// HasRole tells whether there is such a role.
func (t *Tables) HasRole(name string) bool {
	_, found, _ := t.roles.Get(t.keys.role(name))
	return found
}

// Roles lists the roles by name.
func (t *Tables) Roles() []string { return names(t.roles, t.keys.role("")) }

// RolesOf lists the roles of a user; public, which everybody has, is not among them.
func (t *Tables) RolesOf(user string) []string { return names(t.members, t.keys.member(user, "")) }

// Membership is a role of a user.
type Membership struct{ User, Role string }

// Memberships lists the roles of all users.
func (t *Tables) Memberships() []Membership {
	var all []Membership
	for _, name := range names(t.members, t.keys.MetaRoot+membersKind) {
		user, role, _ := strings.Cut(name, "/")
		all = append(all, Membership{user, role})
	}
	return all
}

// UsersOf lists the users that have a role.
func (t *Tables) UsersOf(role string) []string {
	var users []string
	for _, m := range t.Memberships() {
		if m.Role == role {
			users = append(users, m.User)
		}
	}
	return users
}

// HasGrants tells whether a role has a grant.
func (t *Tables) HasGrants(role string) bool {
	for range t.grants(role) {
		return true
	}
	return false
}

// Grants lists the grants of a role, by object and privilege.
func (t *Tables) Grants(role string) []Grant {
	var all []Grant
	t.grants(role)(func(g Grant, _ string) bool {
		all = append(all, g)
		return true
	})
	return all
}

// grants yields the grants of a role, each with the key that says so.
func (t *Tables) grants(role string) func(yield func(g Grant, key string) bool) {
	return func(yield func(g Grant, key string) bool) {
		prefix := t.keys.MetaRoot + objectsKind + role + "/"
		t.objects.Range(prefix, func(key string, id metatable.Row[string]) bool {
			kind, name, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
			database, name := splitName(name)
			going := true
			under := t.keys.privilege(id.Value, "")
			t.privileges.Range(under, func(at string, grantor metatable.Row[string]) bool {
				going = yield(Grant{
					Role: role, Object: Object{kind, database, name},
					Privilege: shown(strings.TrimPrefix(at, under)), Grantor: grantor.Value,
				}, at)
				return going
			})
			return going
		})
	}
}

// objectsOf yields the keys and ids of the objects of a role's grants, and what they are.
func (t *Tables) objectsOf(role string, yield func(key, id string, o Object)) {
	prefix := t.keys.MetaRoot + objectsKind + role + "/"
	t.objects.Range(prefix, func(key string, id metatable.Row[string]) bool {
		kind, name, _ := strings.Cut(strings.TrimPrefix(key, prefix), "/")
		database, name := splitName(name)
		yield(key, id.Value, Object{kind, database, name})
		return true
	})
}

// Group is the members of a custom group. The error is about a record that does not decode.
func (t *Tables) Group(name string) (members []string, found bool, err error) {
	row, found, err := t.groups.Get(t.keys.group(name))
	return memberNames(row.Value), found, err
}

// Groups are the custom groups.
func (t *Tables) Groups() Groups {
	all := Groups{}
	prefix := t.keys.group("")
	t.groups.Range(prefix, func(key string, row metatable.Row[*milvuspb.PrivilegeGroupInfo]) bool {
		all[strings.TrimPrefix(key, prefix)] = memberNames(row.Value)
		return true
	})
	return all
}

func memberNames(info *milvuspb.PrivilegeGroupInfo) []string {
	var all []string
	for _, p := range info.GetPrivileges() {
		all = append(all, p.GetName())
	}
	return all
}

// RolesWith lists the roles that have a grant of a group, by name.
func (t *Tables) RolesWith(group string) []string {
	holders := map[string]bool{}
	for _, role := range t.granted() {
		for _, g := range t.Grants(role) {
			if g.Privilege == group {
				holders[role] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(holders))
}

// granted lists the roles that have grants, in order. A role that is dropped by a foreign program may leave some.
func (t *Tables) granted() []string {
	var roles []string
	for _, name := range names(t.objects, t.keys.MetaRoot+objectsKind) {
		role, _, _ := strings.Cut(name, "/")
		if len(roles) == 0 || roles[len(roles)-1] != role {
			roles = append(roles, role)
		}
	}
	return roles
}

func names[V any](table *metatable.Table[V], prefix string) []string {
	var all []string
	table.Range(prefix, func(key string, _ metatable.Row[V]) bool {
		all = append(all, strings.TrimPrefix(key, prefix))
		return true
	})
	return all
}
