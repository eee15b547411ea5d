package coord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/sessionutil"
	"github.com/milvus-coord/milvus/internal/sessionutil/sessiontest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// story writes down in which order things happen.
type story struct {
	mu    sync.Mutex
	lines []string
}

func (s *story) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *story) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

type fakeRole struct {
	*story
	activation error
	background error
}

func (r fakeRole) Name() string { return "rootcoord" }
func (r fakeRole) Follow(ctx context.Context) error {
	<-ctx.Done()
	r.tell("tables stopped")
	return nil
}

func (fakeRole) Damaged() int { return 2 }

func (fakeRole) CatchUp(_ context.Context, revision int64) int64 { return revision }

func (r fakeRole) Loaded() <-chan struct{} {
	loaded := make(chan struct{})
	close(loaded)
	return loaded
}

func (r fakeRole) Activate(context.Context, *sessionutil.Term) (Instance, error) {
	r.tell("activate")
	return Instance{
		Server: "the server",
		Run: func(ctx context.Context) error {
			if r.background != nil {
				return r.background
			}
			<-ctx.Done()
			r.tell("background stopped")
			return nil
		},
		Started: func() { r.tell("instance started") },
		Steps:   []Step{{"tables", time.Millisecond}},
	}, r.activation
}

type fakeGate struct{ *story }

func (g fakeGate) SetState(s commonpb.StateCode)                  { g.tell("state %s", s) }
func (g fakeGate) Open(server any, _ func() bool)                 { g.tell("open %v", server) }
func (g fakeGate) Close(ctx context.Context) error                { g.tell("close"); return nil }
func (g fakeGate) StateChanged(string, commonpb.StateCode, int64) {}
func (g fakeGate) TookOver(role, cause string, _ []Step)          { g.tell("metrics: %s %s", role, cause) }
func (g fakeGate) TablesMeasured(string, time.Time, int64, int)   {}

type fakeSession struct {
	*story
	term *sessionutil.Term
}

func (s fakeSession) Run(ctx context.Context, h sessionutil.Handler) error {
	h.Registered(ctx)
	err := h.Serve(ctx, s.term, sessionutil.Origin{Reason: sessionutil.ReasonKilled, Predecessor: 3})
	s.tell("served: %v", err)
	return nil
}

type setup struct {
	*story
	client *clientv3.Client
	term   *sessionutil.Term
	depose func()
	c      *Coordinator
}

func newSetup(t *testing.T, activation, background error) setup {
	s := setup{story: &story{}, client: clustertest.StartEtcd(t).Client(t)}
	s.term, s.depose = sessiontest.ClaimUntil(t, s.client, "by-dev/meta", "rootcoord")
	s.c = New(Config{DrainTimeout: time.Minute}, Deps{
		Role: fakeRole{s.story, activation, background}, Session: fakeSession{s.story, s.term},
		Gate: fakeGate{s.story}, Metrics: fakeGate{s.story}, Historian: NewHistory(s.client, "by-dev/meta"),
		Logger: zaptest.NewLogger(t), Started: func() { s.tell("component started") },
		Revision: func(context.Context) (int64, error) { return 1, nil },
	})
	return s
}

func (s setup) run(ctx context.Context, t *testing.T) (wait func()) {
	done := make(chan error, 1)
	go func() { done <- s.c.Run(ctx) }()
	return func() {
		t.Helper()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(time.Minute):
			t.Fatal("Run did not return")
		}
	}
}

func TestAStopDrainsBeforeTheRoleIsGivenBack(t *testing.T) {
	s := newSetup(t, nil, nil)
	ctx, stop := context.WithCancel(t.Context())
	wait := s.run(ctx, t)
	require.Eventually(t, func() bool {
		resp, err := s.client.Get(t.Context(), "by-dev/meta/ha/rootcoord/history/", clientv3.WithPrefix())
		if err != nil || len(resp.Kvs) != 1 {
			return false
		}
		var took Takeover
		require.NoError(t, json.Unmarshal(resp.Kvs[0].Value, &took))
		require.Equal(t, s.term.Number(), took.Term)
		require.Equal(t, "tables", took.Steps[2].Name)
		require.Equal(t, time.Millisecond, took.Steps[2].Took)
		return true
	}, time.Minute, 5*time.Millisecond)
	stop()
	wait()
	require.Equal(t, []string{
		"state StandBy", "state Initializing", "activate", "open the server", "state Healthy", "instance started",
		"component started", "metrics: rootcoord killed", "state Stopping", "close", "background stopped", "state StandBy",
		"served: <nil>", "tables stopped",
	}, s.told())
}

func TestALostTermEndsServingAndNotTheProcess(t *testing.T) {
	s := newSetup(t, nil, nil)
	wait := s.run(t.Context(), t)
	require.Eventually(t, func() bool { return len(s.told()) >= 8 }, time.Minute, time.Millisecond)
	s.depose()
	wait()
	require.ElementsMatch(t, []string{"close", "background stopped"}, s.told()[8:10], "both end with the term")
	require.Equal(t, []string{"state StandBy", "served: <nil>", "tables stopped"}, s.told()[10:])
}

func TestAFailedActivationIsReported(t *testing.T) {
	s := newSetup(t, errors.New("corrupt bound"), nil)
	s.run(t.Context(), t)()
	require.Equal(t, []string{
		"state StandBy", "state Initializing", "activate", "state StandBy", "served: activate rootcoord: corrupt bound", "tables stopped",
	}, s.told())
}

func TestFailedBackgroundWorkEndsTheTerm(t *testing.T) {
	s := newSetup(t, nil, errors.New("disk on fire"))
	s.run(t.Context(), t)()
	require.Contains(t, s.told(), "served: rootcoord: disk on fire")
	require.Contains(t, s.told(), "close")
}

func TestHistoryKeepsAHundred(t *testing.T) {
	s := newSetup(t, nil, nil)
	h := NewHistory(s.client, "by-dev/meta")
	for i := range historyLength + 5 {
		require.NoError(t, h.Record(t.Context(), s.term, Takeover{Role: "rootcoord", Term: int64(i + 1)}))
	}
	resp, err := s.client.Get(t.Context(), "by-dev/meta/ha/rootcoord/history/", clientv3.WithPrefix())
	require.NoError(t, err)
	require.Len(t, resp.Kvs, historyLength)
	require.Equal(t, sessionutil.HistoryKey("by-dev/meta", "rootcoord", 6), string(resp.Kvs[0].Key))
}
