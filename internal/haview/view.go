package haview

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// View is a cluster's coordinators at one moment.
type View struct {
	At       time.Time `json:"at" yaml:"at"`
	Revision int64     `json:"revision" yaml:"revision"` // of etcd
	Roles    []Role    `json:"roles" yaml:"roles"`
	Etcd     []string  `json:"etcd" yaml:"etcd"` // what is wrong with etcd, in words; empty if nothing is, or nobody looked
}

// Role is one role with its processes, the active one first.
type Role struct {
	Name     string   `json:"name" yaml:"name"`
	Members  []Member `json:"members" yaml:"members"`
	Paused   *Pause   `json:"paused,omitempty" yaml:"paused,omitempty"`
	Problems []string `json:"problems" yaml:"problems"` // what is wrong, in words; empty if nothing is

	found []string // problems that etcd shows by itself
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

	pair bool // active-standby is on
	ours bool

	lease      clientv3.LeaseID
	registered time.Time
	answer     answer
}

// answer is what has become of the question how a process is.
type answer struct {
	asked   bool
	loaded  bool
	reached bool  // the process answered
	failure error // why not
}

// Asked tells whether the process has been asked how it is, and has had time to answer.
func (m Member) Asked() bool { return m.answer.asked }

// Answered tells whether it has said how it is.
func (m Member) Answered() bool { return m.answer.reached }

// Reader reads views.
type Reader struct {
	Client   *clientv3.Client
	MetaRoot string
	Roles    []string
	HTTP     *http.Client
	// Patience bounds the question to one process, or to one member of etcd.
	Patience time.Duration
	// Members are those of etcd, for Read; nil: it does not look how they are.
	Members *etcdutil.Members
}

// Read looks once. The error is etcd's.
func (r *Reader) Read(ctx context.Context) (View, error) {
	v, err := r.Sessions(ctx)
	if err != nil {
		return View{}, err
	}
	if r.Members == nil {
		return r.Ask(ctx, v), nil
	}
	var health etcdutil.Health
	var looking sync.WaitGroup
	looking.Go(func() { health = r.Members.Health(ctx, r.Patience) })
	v = r.Ask(ctx, v)
	looking.Wait()
	v.Etcd = append(v.Etcd, health.Problems()...)
	return v, nil
}

// Sessions reads what etcd shows, in one request, and asks no process. The error is etcd's.
func (r *Reader) Sessions(ctx context.Context) (View, error) {
	revision, observed, err := sessionutil.Observe(ctx, r.Client, r.MetaRoot, r.Roles)
	if err != nil {
		return View{}, err
	}
	v := View{At: time.Now(), Revision: revision, Etcd: []string{}}
	for _, o := range observed {
		role := Role{Name: o.Role, Members: []Member{}, Paused: (*Pause)(o.Paused)}
		for _, s := range o.Seen {
			role.Members = append(role.Members, memberOf(s))
		}
		if r := o.Restoring; r != nil {
			role.found = append(role.found, fmt.Sprintf("nobody may take it: the metadata is not whole, a restore by %s began at %s and has not ended",
				r.By, r.At.Local().Format(time.DateTime)))
		}
		for _, problem := range o.Problems {
			role.found = append(role.found, "a record in etcd cannot be read: "+problem.Error())
		}
		v.Roles = append(v.Roles, role.diagnosed())
	}
	return v, nil
}

// Ask asks all processes of a view, at once and for as long as the reader's patience lasts, and returns the view with
// their answers.
func (r *Reader) Ask(ctx context.Context, v View) View {
	v = v.clone()
	var asked sync.WaitGroup
	for _, role := range v.Roles {
		for i := range role.Members {
			m := &role.Members[i]
			m.answer, m.State, m.Since, m.Lease, m.Granted, m.Lag = answer{asked: true}, "", m.registered, -1, -1, -1
			asked.Go(func() { r.lease(ctx, m) })
			if m.HTTP != "" {
				asked.Go(func() { r.ask(ctx, role.Name, v.Revision, m) })
			}
		}
	}
	asked.Wait()
	for i := range v.Roles {
		v.Roles[i] = v.Roles[i].diagnosed()
	}
	return v
}

// Recall fills in what the processes said in an older view, as long as they are in the same role there and here.
func (v View) Recall(old View) View {
	v = v.clone()
	for i, role := range v.Roles {
		at := slices.IndexFunc(old.Roles, func(r Role) bool { return r.Name == role.Name })
		if at < 0 {
			continue
		}
		for n := range role.Members {
			m := &role.Members[n]
			for _, before := range old.Roles[at].Members {
				if before.ServerID != m.ServerID {
					continue
				}
				m.Lease, m.Granted = before.Lease, before.Granted
				if before.Kind == m.Kind && before.Term == m.Term {
					m.answer, m.State, m.Since, m.Lag = before.answer, before.State, before.Since, before.Lag
				}
			}
		}
		v.Roles[i] = role.diagnosed()
	}
	return v
}

func (v View) clone() View {
	v.Roles = slices.Clone(v.Roles)
	for i := range v.Roles {
		v.Roles[i].Members = slices.Clone(v.Roles[i].Members)
	}
	return v
}

func memberOf(s sessionutil.Seen) Member {
	m := Member{
		ServerID: s.ServerID, Kind: Standby, Address: s.Address, Host: s.HostName, Protocol: s.Version, Term: s.Term,
		Lease: -1, Granted: -1, Lag: -1, pair: s.Member, lease: clientv3.LeaseID(s.Lease),
	}
	if s.Term != 0 {
		m.Kind = Active
	}
	if p := s.Process; p != nil {
		m.ours, m.Version, m.PID, m.HTTP, m.Since, m.registered = true, p.Binary, p.PID, p.HTTP, p.Since, p.Since
	}
	return m
}

// lease learns how long a session lasts if it is not renewed.
func (r *Reader) lease(ctx context.Context, m *Member) {
	if m.lease == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	if resp, err := r.Client.TimeToLive(ctx, m.lease); err == nil && resp.TTL >= 0 {
		m.Lease, m.Granted = float64(resp.TTL), float64(resp.GrantedTTL)
	}
}

// ask learns what a process says of itself.
func (r *Reader) ask(ctx context.Context, role string, revision int64, m *Member) {
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	standing, err := r.standing(ctx, m.HTTP, revision)
	if err != nil {
		m.answer.failure = r.brief(err)
		return
	}
	for _, one := range standing.Roles {
		if one.Role == role && one.ServerID == m.ServerID {
			m.answer.reached, m.answer.loaded, m.State, m.Since = true, one.Loaded, one.State, one.Since
			m.Lag = max(revision-one.Revision, 0)
			return
		}
	}
	m.answer.failure = fmt.Errorf("another process answers at %s", m.HTTP)
}

// brief leaves out the address, which stands beside it anyway.
func (r *Reader) brief(err error) error {
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("not within %v", r.Patience)
	}
	return err
}

// maxStanding bounds what is read of a process' answer, in bytes.
const maxStanding = 1 << 20

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
	return s, json.NewDecoder(io.LimitReader(resp.Body, maxStanding)).Decode(&s)
}
