package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
)

// Status is how good or bad a finding is.
type Status string

// The three of them.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is one line of the result.
type Finding struct {
	Status Status `json:"status" yaml:"status"`
	What   string `json:"what" yaml:"what"`
	Detail string `json:"detail" yaml:"detail"`
	Do     string `json:"do,omitempty" yaml:"do,omitempty"` // empty if there is nothing to do
}

// Port is a port that the configuration gives to a process of this host.
type Port struct {
	Key    string // in milvus.yaml
	Number int    // 0: any free one
	ByHand bool   // chosen by somebody, so that no other is taken in its place
}

// Config is what is examined.
type Config struct {
	Etcd       etcdutil.Config
	RootPath   string
	MetaRoot   string
	KvRoot     string
	Roles      []string
	Companions map[string][]string // names under which the active one of a role is registered, too
	Ports      []Port
	HostName   string   // of this host
	Settings   int      // of the configuration
	Warnings   []string // of the configuration
	HTTP       *http.Client
	// Patience bounds each single question.
	Patience time.Duration
}

// exam is what was found out.
type exam struct {
	Config
	endpoints []endpoint
	cluster   cluster
	records   records
	recordErr error
	view      haview.View
	viewErr   error
	ports     []portUse
	clocks    []clockReading
	reach     map[string]error // by the address of a session
}

// checks are all that is looked at, in the order in which it is said.
var checks = []func(*exam) []Finding{
	configuration,
	etcdEndpoints, etcdMembers, etcdLeader, etcdRaft, etcdAlarms, etcdSpace, etcdLatency, etcdVersions,
	clocks,
	ports,
	roots, restoring, oldLayouts, allocators,
	sessionLeases, sessionRecords, sessionCounter, sessionAddresses, companions,
	roleStates, pauses,
}

// Examine gathers the facts and judges them. It is bounded by a handful of Patience. The error is ctx's end, or a mistake in cfg.
func Examine(ctx context.Context, cfg Config) ([]Finding, error) {
	e := &exam{Config: cfg}
	if err := e.askEtcd(ctx); err != nil {
		return nil, err
	}
	defer e.hangUp()
	e.readRecords(ctx)
	e.readView(ctx)
	e.tryPorts(ctx)
	e.readClocks(ctx)
	e.tryAddresses(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var all []Finding
	for _, check := range checks {
		all = append(all, check(e)...)
	}
	return all, nil
}

// Well tells whether nothing fails.
func Well(all []Finding) bool {
	return !slices.ContainsFunc(all, func(f Finding) bool { return f.Status == Fail })
}

// one is a check's result of a single finding.
func one(status Status, what, do, detail string, args ...any) []Finding {
	return []Finding{{Status: status, What: what, Detail: fmt.Sprintf(detail, args...), Do: do}}
}

// configuration repeats what loading it warned of; a configuration that is wrong is never examined.
func configuration(e *exam) []Finding {
	if len(e.Warnings) == 0 {
		return one(OK, "configuration", "", "%d settings, nothing odd about them", e.Settings)
	}
	var all []Finding
	for _, w := range e.Warnings {
		all = append(all, one(Warn, "configuration", "correct it, or take it out; 'milvus config' shows where each value comes from", "%s", w)...)
	}
	return all
}
