package haview

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// View is a cluster's coordinators at one moment.
type View struct {
	At       time.Time `json:"at" yaml:"at"`
	Revision int64     `json:"revision" yaml:"revision"` // of etcd
	Roles    []Role    `json:"roles" yaml:"roles"`
}

// Role is one role with its processes, the active one first.
type Role struct {
	Name     string   `json:"name" yaml:"name"`
	Members  []Member `json:"members" yaml:"members"`
	Paused   *Pause   `json:"paused,omitempty" yaml:"paused,omitempty"`
	Problems []string `json:"problems" yaml:"problems"` // what is wrong, in words; empty if nothing is
}

// Pause is a role of which nobody takes over by itself.
type Pause struct {
	By    string    `json:"by" yaml:"by"`
	At    time.Time `json:"at" yaml:"at"`
	Until time.Time `json:"until,omitzero" yaml:"until,omitempty"` // zero: until somebody ends it
}

// Kinds of members.
const (
	Active  = "active"
	Standby = "standby"
)

// Member is one process of a role.
type Member struct {
	ServerID int64     `json:"serverID" yaml:"serverID"`
	Kind     string    `json:"kind" yaml:"kind"` // Active or Standby, by the keys in etcd
	Address  string    `json:"address" yaml:"address"`
	Host     string    `json:"host" yaml:"host"`
	Protocol string    `json:"protocol" yaml:"protocol"`         // version of Milvus whose protocol it speaks
	Version  string    `json:"version,omitempty" yaml:"version"` // of this product; empty: not one of ours
	State    string    `json:"state,omitempty" yaml:"state"`     // as the process says it; empty if it does not
	Term     int64     `json:"term,omitempty" yaml:"term"`       // of the active one
	Lease    float64   `json:"leaseSeconds" yaml:"leaseSeconds"` // until it expires; -1 if nobody knows
	Granted  float64   `json:"grantedSeconds" yaml:"grantedSeconds"`
	Lag      int64     `json:"lag" yaml:"lag"` // revisions that its tables are behind; -1 if nobody knows
	Since    time.Time `json:"since,omitzero" yaml:"since"`
	PID      int       `json:"pid,omitempty" yaml:"pid"`
	HTTP     string    `json:"http,omitempty" yaml:"http"`

	pair    bool // active-standby is on
	ours    bool
	loaded  bool
	reached bool  // the process answered
	failure error // why not
}

// Reader reads views.
type Reader struct {
	Client   *clientv3.Client
	MetaRoot string
	Roles    []string
	HTTP     *http.Client
	// Patience bounds the question to one process.
	Patience time.Duration
}

// Read looks once. The error is etcd's.
func (r *Reader) Read(ctx context.Context) (View, error) {
	revision, observed, err := sessionutil.Observe(ctx, r.Client, r.MetaRoot, r.Roles)
	if err != nil {
		return View{}, err
	}
	v := View{At: time.Now(), Revision: revision}
	var asked sync.WaitGroup
	for _, o := range observed {
		role := Role{Name: o.Role, Members: make([]Member, len(o.Seen)), Problems: []string{}}
		for i, s := range o.Seen {
			m := &role.Members[i]
			*m = memberOf(s)
			asked.Go(func() { r.lease(ctx, s.Lease, m) })
			if m.HTTP != "" {
				asked.Go(func() { r.ask(ctx, o.Role, revision, m) })
			}
		}
		if o.Paused != nil {
			role.Paused = (*Pause)(o.Paused)
		}
		if r := o.Restoring; r != nil {
			role.Problems = append(role.Problems, fmt.Sprintf("nobody may take it: the metadata is not whole, a restore by %s began at %s and has not ended",
				r.By, r.At.Local().Format(time.DateTime)))
		}
		for _, problem := range o.Problems {
			role.Problems = append(role.Problems, "a record in etcd cannot be read: "+problem.Error())
		}
		v.Roles = append(v.Roles, role)
	}
	asked.Wait()
	for i := range v.Roles {
		v.Roles[i].Problems = append(v.Roles[i].Problems, diagnose(v.Roles[i])...)
	}
	return v, nil
}

func memberOf(s sessionutil.Seen) Member {
	m := Member{
		ServerID: s.ServerID, Kind: Standby, Address: s.Address, Host: s.HostName, Protocol: s.Version, Term: s.Term,
		Lease: -1, Granted: -1, Lag: -1, pair: s.Member,
	}
	if s.Term != 0 {
		m.Kind = Active
	}
	if p := s.Process; p != nil {
		m.ours, m.Version, m.PID, m.HTTP, m.Since = true, p.Binary, p.PID, p.HTTP, p.Since
	}
	return m
}

// lease learns how long a session lasts if it is not renewed.
func (r *Reader) lease(ctx context.Context, id int64, m *Member) {
	if id == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	if resp, err := r.Client.TimeToLive(ctx, clientv3.LeaseID(id)); err == nil && resp.TTL >= 0 {
		m.Lease, m.Granted = float64(resp.TTL), float64(resp.GrantedTTL)
	}
}

// ask learns what a process says of itself.
func (r *Reader) ask(ctx context.Context, role string, revision int64, m *Member) {
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	standing, err := r.standing(ctx, m.HTTP, revision)
	if err != nil {
		m.failure = err
		return
	}
	for _, one := range standing.Roles {
		if one.Role == role && one.ServerID == m.ServerID {
			m.reached, m.State, m.Since, m.loaded = true, one.State, one.Since, one.Loaded
			m.Lag = max(revision-one.Revision, 0)
			return
		}
	}
	m.failure = fmt.Errorf("another process answers at %s", m.HTTP)
}

func (r *Reader) standing(ctx context.Context, address string, revision int64) (opshttp.Standing, error) {
	var s opshttp.Standing
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/ha?revision=%d", address, revision), nil)
	if err != nil {
		return s, err
	}
	resp, err := r.HTTP.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s answers %s", address, resp.Status)
	}
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
