package opshttp

import (
	"context"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Standing is how a process stands in its roles: the answer of /ha, for 'milvus status'.
type Standing struct {
	Version string         `json:"version"`
	PID     int            `json:"pid"`
	Roles   []RoleStanding `json:"roles"`
}

// RoleStanding is one role of it.
type RoleStanding struct {
	Role     string    `json:"role"`
	ServerID int64     `json:"serverID"` // 0 before it is registered
	State    string    `json:"state"`
	Term     int64     `json:"term,omitempty"`
	Since    time.Time `json:"since"`
	Loaded   bool      `json:"loaded"`
	// Revision is that of etcd up to which the tables are complete.
	Revision int64 `json:"revision"`
}

// catchUpPatience is how long a process that is behind has to reach the revision it is asked for.
const catchUpPatience = 500 * time.Millisecond

type standings struct{ cfg Config }

// serve answers at once, or, if the request names a revision, when the tables show that or have not for a moment.
func (s standings) serve(w http.ResponseWriter, r *http.Request) {
	revision := int64(0)
	if text := r.URL.Query().Get("revision"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			write(w, http.StatusBadRequest, textType, []byte("revision is not a revision of etcd: "+strconv.Quote(text)))
			return
		}
		revision = n
	}
	ctx, cancel := context.WithTimeout(r.Context(), catchUpPatience)
	defer cancel()
	answer := Standing{Version: s.cfg.Version, PID: os.Getpid(), Roles: []RoleStanding{}}
	reached := map[string]int64{}
	if s.cfg.CatchUp != nil {
		for _, role := range s.cfg.Status() {
			reached[role.Name] = s.cfg.CatchUp(ctx, role.Name, revision)
		}
	}
	for _, role := range s.cfg.Status() {
		answer.Roles = append(answer.Roles, RoleStanding{
			Role: role.Name, ServerID: role.ServerID, State: role.state().String(), Term: role.Term, Since: role.Since,
			Loaded: role.Loaded, Revision: reached[role.Name],
		})
	}
	write(w, http.StatusOK, jsonType, encode(answer))
}
