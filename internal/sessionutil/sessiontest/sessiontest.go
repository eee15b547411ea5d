// Package sessiontest makes terms for the tests of packages that write through one.
package sessiontest

import (
	"context"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap/zaptest"

	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Claim makes the test the active process of role and returns the term. It waits for whoever is active now. The role is
// given back at the end of the test.
func Claim(t testing.TB, client *clientv3.Client, metaRoot, role string) *sessionutil.Term {
	t.Helper()
	term, _ := ClaimUntil(t, client, metaRoot, role)
	return term
}

// ClaimUntil is Claim with a function that gives the role back earlier; it may be called more than once.
func ClaimUntil(t testing.TB, client *clientv3.Client, metaRoot, role string) (*sessionutil.Term, func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	id, err := sessionutil.AllocServerID(ctx, client, metaRoot, zaptest.NewLogger(t))
	if err != nil {
		t.Fatalf("take a ServerID: %v", err)
	}
	session, err := sessionutil.New(sessionutil.Config{
		MetaRoot: metaRoot, Role: role, ServerID: id, Address: "127.0.0.1:1", HostName: "test", Version: "2.5.6",
		Standby: true, TTL: 60 * time.Second, RetryTimes: 1, Heartbeat: time.Second,
		ServeWindow: 30 * time.Second, SilenceTimeout: 40 * time.Second, // a busy test machine is not a dead one
	}, sessionutil.Deps{
		Client: client, Members: etcdutil.NewMembers(client), Logger: zaptest.NewLogger(t), Metrics: noMetrics{},
	})
	if err != nil {
		t.Fatal(err)
	}
	h := handler{terms: make(chan *sessionutil.Term)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := session.Run(ctx, h); err != nil {
			t.Errorf("session: %v", err)
		}
	}()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	select {
	case term := <-h.terms:
		return term, stop
	case <-time.After(time.Minute):
		t.Fatalf("%s was not won within a minute", role)
		return nil, nil
	}
}

type handler struct{ terms chan *sessionutil.Term }

func (h handler) Registered(context.Context) {}

func (h handler) Serve(ctx context.Context, term *sessionutil.Term, _ sessionutil.Origin) error {
	select {
	case h.terms <- term:
	case <-ctx.Done():
		return nil
	}
	select {
	case <-ctx.Done():
	case <-term.Context().Done():
	}
	return nil
}

type noMetrics struct{}

func (noMetrics) Registered(string)                      {}
func (noMetrics) Renewed(string, time.Duration, bool)    {}
func (noMetrics) Slack(string, time.Duration)            {}
func (noMetrics) Missed(string)                          {}
func (noMetrics) Lost(string, string)                    {}
func (noMetrics) FencedOff(string)                       {}
func (noMetrics) ActiveSeen(string, time.Duration, bool) {}
func (noMetrics) ActiveForgotten(string)                 {}
