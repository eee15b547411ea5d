package access

import (
	"context"
	"encoding/base64"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/milvus-coord/milvus/internal/rbac"
)

// authorization is the metadata in which a proxy passes on who calls it.
const authorization = "authorization"

// Sight is what the caller of a list may see: everything if users are not asked for passwords, or if no proxy says who
// calls.
func (h *Handlers) Sight(ctx context.Context) rbac.Sight {
	user, named := caller(ctx)
	if !h.rules.Enforced || !named {
		return rbac.Everything()
	}
	var sight rbac.Sight
	h.Tables.Read(func(t *rbac.Tables) { sight = t.SightOf(user, h.rules.Groups) })
	return sight
}

// caller is the user that a proxy named.
func caller(ctx context.Context) (user string, named bool) {
	values := metadata.ValueFromIncomingContext(ctx, authorization)
	if len(values) == 0 {
		return "", false
	}
	text, err := base64.StdEncoding.DecodeString(values[0])
	if err != nil {
		return "", false
	}
	user, _, _ = strings.Cut(string(text), ":")
	return user, user != ""
}

// Counts are the numbers of users, roles and custom groups.
func (h *Handlers) Counts() (users, roles, groups int) {
	h.Tables.Read(func(t *rbac.Tables) { users, roles, groups = len(t.Users()), len(t.Roles()), len(t.Groups()) })
	return users, roles, groups
}
