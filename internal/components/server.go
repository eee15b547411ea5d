package components

import (
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-coord/milvus/internal/rpc"
)

// Server is what one process runs.
type Server struct {
	Name  string   // of its pid file and its log file
	Type  string   // as Milvus calls it in its answers
	Roles []string // in the order in which they start; they stop in the reverse order
}

// What `milvus run` runs besides a single role.
const (
	MixCoord   = "mixcoord"   // all coordinators in one process
	Standalone = "standalone" // the same, with an etcd inside
)

// mixture is Milvus' name of a process of several roles.
const mixture = "mixture"

// Roles names the roles. The order is that of a start: a coordinator comes after those that it calls.
func Roles() []string { return []string{rpc.RootCoord, rpc.DataCoord, rpc.QueryCoord} }

// Servers names what `milvus run` runs.
func Servers() []string { return append(Roles(), MixCoord, Standalone) }

// NewServer finds what a name stands for. The roles of a mixture, Milvus' name of a mixcoord that need not have all, are
// chosen; all other names stand for themselves.
func NewServer(name string, chosen ...string) (Server, error) {
	switch name {
	case MixCoord:
		return Server{Name: MixCoord, Type: mixture, Roles: Roles()}, nil
	case Standalone:
		return Server{Name: Standalone, Type: Standalone, Roles: Roles()}, nil
	case mixture:
		s := Server{Name: MixCoord, Type: mixture}
		for _, role := range Roles() {
			if slices.Contains(chosen, role) {
				s.Roles = append(s.Roles, role)
			}
		}
		if len(s.Roles) == 0 {
			return Server{}, fmt.Errorf("a mixture needs roles: one or more of -%s; %s has them all",
				strings.Join(Roles(), ", -"), MixCoord)
		}
		return s, nil
	}
	if !slices.Contains(Roles(), name) {
		return Server{}, fmt.Errorf("unknown role %q", name)
	}
	return Server{Name: name, Type: name, Roles: []string{name}}, nil
}

// deployMode is what Milvus' answers say about the cluster.
func (s Server) deployMode() string {
	if s.Name == Standalone {
		return "STANDALONE"
	}
	return "DISTRIBUTED"
}
