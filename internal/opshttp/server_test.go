package opshttp

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/milvus-coord/milvus/internal/metrics"
	"github.com/milvus-coord/milvus/internal/rpc/listen"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func role(state commonpb.StateCode) RoleStatus {
	return RoleStatus{Name: "rootcoord", State: state, ServerID: 5, Registered: true, Loaded: true}
}

var (
	healthy      = role(commonpb.StateCode_Healthy)
	standby      = role(commonpb.StateCode_StandBy)
	abnormal     = role(commonpb.StateCode_Abnormal)
	initializing = role(commonpb.StateCode_Initializing)
	unregistered = RoleStatus{Name: "rootcoord", State: commonpb.StateCode_StandBy, Loaded: true}
	overdue      = RoleStatus{Name: "rootcoord", State: commonpb.StateCode_Healthy, ServerID: 5, Registered: true, Loaded: true, Overdue: true}
	unloaded     = RoleStatus{Name: "rootcoord", State: commonpb.StateCode_StandBy, ServerID: 5, Registered: true}
)

func handler(pprof bool, roles ...RoleStatus) http.Handler {
	m := metrics.New(metrics.Build{Version: "1"})
	return newHandler(Config{EnablePprof: pprof, Status: func() []RoleStatus { return roles }},
		Deps{Metrics: m.Registry, Runtime: m.Runtime, Level: zap.NewAtomicLevel(), Logger: zap.NewNop()})
}

func ask(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHealthz(t *testing.T) {
	for name, c := range map[string]struct {
		roles []RoleStatus
		code  int
		text  string
		json  string
	}{
		"cut off":        {[]RoleStatus{overdue}, 200, "OK", `{"state":"OK","detail":[{"name":"rootcoord","code":1}]}`},
		"healthy":        {[]RoleStatus{healthy}, 200, "OK", `{"state":"OK","detail":[{"name":"rootcoord","code":1}]}`},
		"standby":        {[]RoleStatus{standby}, 200, "OK", `{"state":"OK","detail":[{"name":"rootcoord","code":3}]}`},
		"abnormal":       {[]RoleStatus{abnormal}, 500, "Not all components are healthy, 0/1", `{"state":"Not all components are healthy, 0/1","detail":[{"name":"rootcoord","code":2}]}`},
		"one of two":     {[]RoleStatus{healthy, initializing}, 500, "Not all components are healthy, 1/2", `{"state":"Not all components are healthy, 1/2","detail":[{"name":"rootcoord","code":1},{"name":"rootcoord","code":0}]}`},
		"not registered": {[]RoleStatus{unregistered}, 500, "Not all components are healthy, 0/1", `{"state":"Not all components are healthy, 0/1","detail":[{"name":"rootcoord","code":3}]}`},
		"no role yet":    {nil, 500, "Not all components are healthy, 0/0", `{"state":"Not all components are healthy, 0/0","detail":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST", "PUT"} {
				w := ask(handler(false, c.roles...), method, "/healthz", "")
				require.Equal(t, c.code, w.Code)
				require.Equal(t, c.text, w.Body.String())
				require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
			}
			w := ask(handler(false, c.roles...), "GET", "/healthz", "", "Content-Type", "application/json")
			require.Equal(t, c.code, w.Code)
			require.Equal(t, c.json, w.Body.String())
			require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"), "as Milvus has it")
		})
	}
}

func TestReadyz(t *testing.T) {
	for name, c := range map[string]struct {
		roles []RoleStatus
		code  int
	}{
		"healthy": {[]RoleStatus{healthy}, 200}, "standby": {[]RoleStatus{standby}, 200},
		"tables not loaded": {[]RoleStatus{unloaded}, 503}, "not registered": {[]RoleStatus{unregistered}, 503},
		"one of two": {[]RoleStatus{healthy, abnormal}, 503}, "cut off from etcd": {[]RoleStatus{overdue}, 503}, "no role yet": {nil, 503},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(handler(false, c.roles...), "GET", "/readyz", "")
			require.Equal(t, c.code, w.Code)
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		})
	}
	require.JSONEq(t, `{"ready":false,"roles":[{"role":"rootcoord","ready":false,"state":"StandBy","serverID":5,"registered":true,"loaded":false}]}`,
		ask(handler(false, unloaded), "GET", "/readyz", "").Body.String())
}

func TestCheckReadyIsForTheActiveOne(t *testing.T) {
	for name, c := range map[string]struct {
		role RoleStatus
		path string
		code int
		body string
	}{
		"active":        {healthy, "?role=rootcoord", 200, `{"msg": "OK"}`},
		"cut off":       {overdue, "?role=rootcoord", 500, `{"msg":"failed to check component ready, rootcoord is Abnormal"}`},
		"standby":       {standby, "?role=rootcoord", 500, `{"msg":"failed to check component ready, rootcoord is StandBy"}`},
		"another role":  {healthy, "?role=datacoord", 500, `{"msg":"failed to check component ready, no role datacoord in this process"}`},
		"role missing":  {healthy, "", 500, `{"msg":"failed to check component ready, role is missing"}`},
		"quoted safely": {healthy, "?role=%22", 500, `{"msg":"failed to check component ready, no role \" in this process"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(handler(false, c.role), "GET", "/management/check/ready"+c.path, "")
			require.Equal(t, c.code, w.Code)
			require.Equal(t, c.body, w.Body.String())
		})
	}
}

func TestRoutes(t *testing.T) {
	for path, c := range map[string]struct {
		code     int
		contains string
	}{
		"/livez":           {200, "OK"},
		"/metrics":         {200, "milvus_build_info"},
		"/metrics_default": {200, "go_goroutines"},
		"/debug/pprof/":    {404, ""},
		"/eventlog":        {404, ""},
		"/expr":            {404, ""},
		"/management/stop": {404, ""},
		"/":                {404, ""},
		"/webui/":          {404, ""}, // there is none
	} {
		w := ask(handler(false, abnormal), "GET", path, "")
		require.Equal(t, c.code, w.Code, path)
		require.Contains(t, w.Body.String(), c.contains, path)
	}
	require.Equal(t, 200, ask(handler(true, healthy), "GET", "/debug/pprof/", "").Code)
	require.Equal(t, 200, ask(handler(true, healthy), "GET", "/debug/pprof/heap?debug=1", "").Code)
}

func TestLogLevel(t *testing.T) {
	core, logged := observer.New(zap.DebugLevel)
	level := zap.NewAtomicLevel()
	h := levelHandler(level, zap.New(core))

	w := ask(h, "GET", "/log/level", "")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "{\"level\":\"info\"}\n", w.Body.String())

	w = ask(h, "PUT", "/log/level", `{"level":"debug"}`)
	require.Equal(t, 200, w.Code)
	require.Equal(t, "{\"level\":\"debug\"}\n", w.Body.String())
	require.Equal(t, zap.DebugLevel, level.Level())
	require.Equal(t, 1, logged.FilterMessage("log level changed").Len())

	w = ask(h, "PUT", "/log/level", "level=warn", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, 200, w.Code)
	require.Equal(t, zap.WarnLevel, level.Level())

	for _, body := range []string{`{"level":"loud"}`, `{}`, `debug`, ``} {
		w = ask(h, "PUT", "/log/level", body)
		require.Equal(t, 400, w.Code, body)
		require.Contains(t, w.Body.String(), `{"error":`)
	}
	require.Equal(t, 405, ask(h, "DELETE", "/log/level", "").Code)
	require.Equal(t, zap.WarnLevel, level.Level())
	require.Equal(t, 2, logged.Len())
}

func TestATakenPort(t *testing.T) {
	core, logged := observer.New(zap.InfoLevel)
	first, err := Listen(context.Background(), 0, true, zap.New(core))
	require.NoError(t, err)
	defer first.Close()
	port := first.Addr().(*net.TCPAddr).Port

	next, err := Listen(context.Background(), port, false, zap.New(core))
	require.NoError(t, err)
	defer next.Close()
	chosen := next.Addr().(*net.TCPAddr).Port
	require.Greater(t, chosen, port)
	require.Equal(t, int64(chosen), logged.All()[0].ContextMap()["port"])

	_, err = Listen(context.Background(), port, true, zap.New(core))
	var refused *listen.Error
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "common.metricsPort in milvus.yaml or METRICS_PORT in the environment")
}

func TestRun(t *testing.T) {
	listener, err := Listen(context.Background(), 0, true, zap.NewNop())
	require.NoError(t, err)
	s := New(Config{Status: func() []RoleStatus { return []RoleStatus{healthy} }},
		Deps{Metrics: prometheus.NewRegistry(), Runtime: prometheus.NewRegistry(), Level: zap.NewAtomicLevel(), Logger: zap.NewNop()})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listener) }()

	client := &http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + listener.Addr().String() + "/healthz")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "OK", string(body))

	cancel()
	require.NoError(t, <-done)
	_, err = client.Get("http://" + listener.Addr().String() + "/healthz")
	require.Error(t, err)
}

// TestAStreamDoesNotHoldUpTheEnd: what would go on for ever ends with the server.
func TestAStreamDoesNotHoldUpTheEnd(t *testing.T) {
	listener, err := Listen(context.Background(), 0, true, zap.NewNop())
	require.NoError(t, err)
	ended := make(chan struct{})
	s := New(Config{Status: func() []RoleStatus { return nil }}, Deps{
		Metrics: prometheus.NewRegistry(), Runtime: prometheus.NewRegistry(), Level: zap.NewAtomicLevel(), Logger: zap.NewNop(),
		WebUI: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, listener) }()
	client := &http.Client{}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + listener.Addr().String() + "/webui/events")
	require.NoError(t, err)
	defer resp.Body.Close()
	cancel()
	<-ended
	require.NoError(t, <-done)
	_, err = io.ReadAll(resp.Body)
	require.NoError(t, err, "it is ended, not broken off")
}

func TestRunReportsABrokenListener(t *testing.T) {
	listener, err := Listen(context.Background(), 0, true, zap.NewNop())
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	s := New(Config{}, Deps{Metrics: prometheus.NewRegistry(), Runtime: prometheus.NewRegistry(), Logger: zap.NewNop()})
	require.ErrorContains(t, s.Run(context.Background(), listener), "serve HTTP on")
}
