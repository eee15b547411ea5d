package access

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/errs"
	"github.com/milvus-coord/milvus/internal/metatable/tableset"
	"github.com/milvus-coord/milvus/internal/rbac"
)

// Proxies are told of changes.
type Proxies interface {
	UpdateCredential(ctx context.Context, user, sha256 string) error
	InvalidateCredential(ctx context.Context, user string) error
	RefreshPolicy(ctx context.Context, opType int32, opKey string) error
}

// Rules are what the configuration says.
type Rules struct {
	MaxUsers int // with root
	MaxRoles int // with admin and public

	RootPassword string         // of root, when it is made
	PublicGrants bool           // what every user may do is granted to public
	Groups       rbac.Groups    // that every cluster has
	Roles        []DeclaredRole // made at every activation; they cannot be dropped
	Enforced     bool           // users are asked for their password, and lists are filtered
}

// DeclaredRole is a role of the configuration.
type DeclaredRole struct {
	Name   string
	Grants []rbac.Grant
}

// Deps are what handlers of one term share.
type Deps struct {
	Tables  *tableset.Set[*rbac.Tables]
	Writer  *rbac.Writer
	Proxies Proxies
	// Change runs a change under the one lock, on the term's context. again tells whether doing it twice succeeds twice.
	Change func(ctx context.Context, again bool, work func(ctx context.Context) error) error
	// Later does something until it succeeds or the term's work ends.
	Later  func(what string, do func(ctx context.Context) error)
	Logger *zap.Logger
}

// Handlers answer the calls of one term. Safe for concurrent use.
type Handlers struct {
	rules Rules
	Deps
}

// New makes the handlers of a term.
func New(rules Rules, deps Deps) *Handlers { return &Handlers{rules: rules, Deps: deps} }

// Whether a change that is done twice succeeds twice.
const (
	repeatable = true
	once       = false
)

// status is the answer of a call that answers with a Status alone.
func status(err error, code commonpb.ErrorCode) (*commonpb.Status, error) {
	if err != nil {
		return nil, legacy(err, code)
	}
	return errs.Success(), nil
}

// legacy gives an error its old code, unless that would hide that the call may be sent again.
func legacy(err error, code commonpb.ErrorCode) error {
	if errors.Is(err, errs.NotReady) {
		return err
	}
	return errs.Legacy(err, code)
}

// checkName refuses what cannot be part of a key. The form of names is the proxies' to judge otherwise.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name of the %s is empty", what)
	case name == "." || name == ".." || strings.ContainsAny(name, "/|"):
		return fmt.Errorf("%q cannot be the name of a %s: it is part of keys and of lists of policies", name, what)
	}
	return nil
}

// What a proxy is told, in Milvus' numbers.
const (
	opJoin       = 1
	opLeave      = 2
	opGrant      = 3
	opRevoke     = 4
	opDropUser   = 5
	opDropRole   = 6
	opRefreshAll = 7
)

// tell passes a change of roles or grants on to the proxies. The change is done, so its caller is told of success
// whatever becomes of this; a proxy that fails is told to read everything anew.
func (h *Handlers) tell(ctx context.Context, op int32, key string) {
	if err := h.Proxies.RefreshPolicy(ctx, op, key); err != nil {
		h.Logger.Warn("proxies have not heard of a change of the grants, they are told to read all anew", zap.Error(err))
		h.RefreshLater()
	}
}

// RefreshLater makes the proxies read all grants anew. Nobody waits for it.
func (h *Handlers) RefreshLater() {
	h.Later("refresh the proxies' grants", func(ctx context.Context) error {
		return h.Change(ctx, repeatable, func(ctx context.Context) error { return h.Proxies.RefreshPolicy(ctx, opRefreshAll, "") })
	})
}

// changeGrants does work and tells the proxies what the policies have lost and gained by it.
func (h *Handlers) changeGrants(ctx context.Context, work func(ctx context.Context) error) error {
	before := h.policies()
	if err := work(ctx); err != nil {
		return err
	}
	after := h.policies()
	if lost := rbac.Difference(before, after); len(lost) > 0 {
		h.tell(ctx, opRevoke, join(lost))
	}
	if gained := rbac.Difference(after, before); len(gained) > 0 {
		h.tell(ctx, opGrant, join(gained))
	}
	return nil
}

func (h *Handlers) policies() (all []rbac.Policy) {
	h.Tables.Read(func(t *rbac.Tables) { all = t.Policies(h.rules.Groups) })
	return all
}

func texts(policies []rbac.Policy) []string {
	all := make([]string, len(policies))
	for i, p := range policies {
		all[i] = p.String()
	}
	return all
}

func join(policies []rbac.Policy) string { return strings.Join(texts(policies), "|") }
