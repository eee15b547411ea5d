package webui

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/milvus-coord/milvus/internal/clustertest"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/opshttp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "by-dev/meta"

// stage is an etcd, processes that are no more than what they answer, and the page of one of them.
type stage struct {
	t      *testing.T
	etcd   *clustertest.Etcd
	client *clientv3.Client
	ui     *UI
	web    *httptest.Server
	logged *observer.ObservedLogs
}

func newStage(t *testing.T, change func(*Config)) *stage {
	t.Helper()
	s := &stage{t: t, etcd: clustertest.StartEtcd(t)}
	s.client = s.etcd.Client(t)
	members, err := etcdutil.DialEach(t.Context(), etcdutil.Config{Endpoints: s.etcd.Endpoints()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = members.Close() })
	cfg := Config{
		Cluster: "by-dev", MetaRoot: root, Roles: []string{"rootcoord", "datacoord"}, HostName: "here", Version: "v1",
		Status: func() []opshttp.RoleStatus {
			return []opshttp.RoleStatus{{Name: "rootcoord", ServerID: 1, State: commonpb.StateCode_Healthy}}
		},
	}
	if change != nil {
		change(&cfg)
	}
	core, logged := observer.New(zap.DebugLevel)
	s.logged = logged
	s.ui, err = New(cfg, Deps{Client: s.client, Members: members, Logger: zap.New(core)})
	require.NoError(t, err)
	s.web = httptest.NewServer(s.ui)
	t.Cleanup(s.web.Close)
	return s
}

// process puts a session into etcd, and makes somebody answer for it.
func (s *stage) process(id int64, active bool) {
	s.t.Helper()
	state := map[bool]string{true: "Healthy", false: "StandBy"}[active]
	var at atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(opshttp.Standing{Version: "v1", Roles: []opshttp.RoleStanding{
			{Role: "rootcoord", ServerID: id, State: state, Since: at.Load().(time.Time), Loaded: true, Revision: 1 << 40},
		}})
	}))
	at.Store(time.Now())
	s.t.Cleanup(server.Close)
	n := strconv.FormatInt(id, 10)
	session := `{"ServerID":` + n + `,"ServerName":"rootcoord","Address":"10.0.0.` + n + `:53100","HostName":"host` + n + `","Version":"2.5.6"}`
	s.put("session/rootcoord-"+n, session)
	s.put("ha/rootcoord/process/"+n, `{"ServerID":`+n+`,"Binary":"v1","HTTP":"`+server.Listener.Addr().String()+`"}`)
	if active {
		s.put("session/rootcoord", session)
	}
}

func (s *stage) put(key, value string) {
	s.t.Helper()
	_, err := s.client.Put(s.t.Context(), root+"/"+key, value)
	require.NoError(s.t, err)
}

// get is an answer, and its body.
func (s *stage) get(path string) (*http.Response, string) {
	s.t.Helper()
	w := httptest.NewRecorder()
	s.ui.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Result(), w.Body.String()
}

// idle waits until the last viewer has gone.
func (s *stage) idle() {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		s.ui.feed.life.Lock()
		defer s.ui.feed.life.Unlock()
		return s.ui.feed.viewers == 0
	}, time.Minute, time.Millisecond)
}

// event is a server-sent event.
type event struct{ name, data string }

// viewer reads the stream until stop is called.
func (s *stage) viewer() (events <-chan event, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.web.URL+"/webui/events", nil)
	require.NoError(s.t, err)
	resp, err := s.web.Client().Do(req)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, resp.StatusCode)
	require.Equal(s.t, "text/event-stream", resp.Header.Get("Content-Type"))
	c, done := make(chan event, 1000), make(chan struct{})
	go func() {
		defer close(done)
		defer close(c)
		defer resp.Body.Close()
		read(resp.Body.Read, c)
	}()
	return c, func() {
		cancel()
		<-done
	}
}

type reader func([]byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

// read takes a stream apart as a browser does.
func read(from reader, to chan<- event) {
	var e event
	var data []string
	for lines := bufio.NewReader(from); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\n")
		switch field, value, _ := strings.Cut(line, ": "); {
		case line == "":
			e.data = strings.Join(data, "\n")
			to <- e
			e, data = event{}, nil
		case field == "event":
			e.name = value
		case field == "data" || line == "data:":
			data = append(data, value)
		default:
			to <- event{name: "no line of ours: " + line}
		}
	}
}

// wait waits for an event of a name whose data has a part, and returns the data.
func wait(t *testing.T, events <-chan event, name string, parts ...string) string {
	t.Helper()
	last := ""
	for timeout := time.After(time.Minute); ; {
		select {
		case e, open := <-events:
			if !open {
				t.Fatalf("the stream has ended before %s with %q", name, parts)
			}
			if e.name != name {
				continue
			}
			last = e.data
			found := true
			for _, part := range parts {
				found = found && strings.Contains(e.data, part)
			}
			if found {
				return e.data
			}
		case <-timeout:
			t.Fatalf("no %s with %q within a minute; the last one was:\n%s", name, parts, last)
		}
	}
}
