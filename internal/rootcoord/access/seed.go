package access

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"
	"golang.org/x/crypto/bcrypt"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/rbac"
)

// Seed writes what every cluster has, unless it is there: root, the roles admin and public, what public may do, and the
// roles of the configuration. It is one of the steps of an activation; nobody changes anything at the same time.
func (h *Handlers) Seed(ctx context.Context) error {
	b := rbac.Backup{Roles: []string{rbac.Admin, rbac.Public}}
	if h.rules.PublicGrants {
		b.Grants = publicGrants()
	}
	for _, r := range h.rules.Roles {
		b.Roles = append(b.Roles, r.Name)
		b.Grants = append(b.Grants, r.Grants...)
	}
	hasRoot, unreadable := false, error(nil)
	h.Tables.Read(func(t *rbac.Tables) { _, hasRoot, unreadable = t.User(rbac.Root) })
	if unreadable == nil && !hasRoot {
		// Proxies make the other users' hashes at this cost, too. A higher one would be paid at root's log-in alone.
		hash, err := bcrypt.GenerateFromPassword([]byte(h.rules.RootPassword), bcrypt.MinCost)
		if err != nil {
			return fmt.Errorf("hash the password of root: %w", err)
		}
		b.Users = []rbac.Account{{Name: rbac.Root, Hash: string(hash)}}
	}
	err := h.Writer.Restore(ctx, b)
	var sick metatable.Quarantined
	switch {
	case errors.As(err, &sick):
		h.Logger.Warn("root, admin and public are not completed: one of their records does not decode", zap.Error(sick))
		return nil
	case err != nil:
		return fmt.Errorf("write root, admin and public: %w", err)
	}
	return nil
}

// publicGrants are what everybody may do in every database.
func publicGrants() []rbac.Grant {
	grant := func(kind, privilege string) rbac.Grant {
		return rbac.Grant{
			Role: rbac.Public, Privilege: privilege, Grantor: rbac.Root,
			Object: rbac.Object{Type: kind, Database: rbac.Any, Name: rbac.Any},
		}
	}
	return []rbac.Grant{
		grant(rbac.Global, "DescribeCollection"), grant(rbac.Global, "ListAliases"), grant(rbac.Collection, "IndexDetail"),
	}
}
