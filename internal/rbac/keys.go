package rbac

import (
	"crypto/md5" //nolint:gosec // Milvus' form of a grant id, no secret
	"encoding/hex"
	"strings"
)

// Keys builds and takes apart the keys of one cluster.
type Keys struct {
	MetaRoot string // <etcd.rootPath>/<etcd.metaSubPath>, without a slash at the end
}

// Relative to the meta root. What follows: a user; a role; a user and a role; a role, an object's type and
// <database>.<name>; a grant id and a privilege; a group.
const (
	usersKind      = "/root-coord/credential/users/"
	rolesKind      = "/root-coord/credential/roles/"
	membersKind    = "/root-coord/credential/user-role-mapping/"
	objectsKind    = "/root-coord/credential/grantee-privileges/"
	privilegesKind = "/root-coord/credential/grantee-id/"
	groupsKind     = "/root-coord/privilege-group/"
)

// Prefixes are the ranges of the tables.
func (k Keys) Prefixes() []string {
	return []string{k.MetaRoot + "/root-coord/credential/", k.MetaRoot + groupsKind}
}

func (k Keys) user(name string) string         { return k.MetaRoot + usersKind + name }
func (k Keys) role(name string) string         { return k.MetaRoot + rolesKind + name }
func (k Keys) member(user, role string) string { return k.MetaRoot + membersKind + user + "/" + role }
func (k Keys) privilege(id, stored string) string {
	return k.MetaRoot + privilegesKind + id + "/" + stored
}
func (k Keys) group(name string) string { return k.MetaRoot + groupsKind + name }

func (k Keys) object(role string, o Object) string {
	return k.MetaRoot + objectsKind + role + "/" + o.Type + "/" + o.Database + "." + o.Name
}

// grantID is what Milvus calls a new object of a role's grants: the middle half of the MD5 of its key.
func (k Keys) grantID(key string) string {
	sum := md5.Sum([]byte(strings.TrimPrefix(key, k.MetaRoot+"/"))) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])[8:24]
}

// splitName takes <database>.<name> apart; a name from before databases belongs to the default one.
func splitName(s string) (database, name string) {
	if database, name, ok := strings.Cut(s, "."); ok {
		return database, name
	}
	return DefaultDatabase, s
}
