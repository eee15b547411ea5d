package webui

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
)

const takeover = `{"Role":"rootcoord","Term":%d,"ServerID":1,"Reason":"killed","Predecessor":7,"PredecessorAddress":"10.0.0.7:53100",
"At":"%s","Steps":[{"Name":"detect","Millis":10},{"Name":"claim","Millis":5},{"Name":"ids","Millis":3},{"Name":"activate","Millis":4}]}`

func TestThePage(t *testing.T) {
	s := newStage(t, nil)
	s.process(1, true)
	s.process(2, false)
	active, err := s.client.Get(t.Context(), root+"/session/rootcoord")
	require.NoError(t, err)
	term := active.Kvs[0].CreateRevision
	s.put("ha/rootcoord/history/00000000000000000009", fmt.Sprintf(takeover, term, time.Now().Format(time.RFC3339Nano)))
	s.put("ha/rootcoord/pause", `{"By":"ops <b>","At":"2026-01-02T03:04:05Z"}`)
	var resp *http.Response
	var page string
	require.Eventually(t, func() bool { // the first one may be sent before all have answered
		resp, page = s.get("/webui/")
		return strings.Count(page, `<svg class="bar lag"`) == 2 && strings.Contains(page, "m0 leads")
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, policy, resp.Header.Get("Content-Security-Policy"))
	require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	for _, part := range []string{
		"<title>2 problems · by-dev</title>", `data-kind="active" data-id="1"`, `data-kind="standby" data-id="2"`, "Healthy", "StandBy", "this page",
		"10.0.0.1:53100", "host2", "<b>datacoord</b> nobody is registered", "automatic takeovers are paused", "ops &lt;b&gt;",
		`title="10.0.0.7:53100">7</span>`, `from <span class="num">7</span>`, "killed", "detect <span", "10 ms", "19 ms", fmt.Sprintf("rootcoord, newest first: 1 in term %d (killed)", term),
		"127.0.0.1:", "read-only", `href="/metrics"`, `/webui/" aria-label="page of rootcoord 2"`,
	} {
		require.Contains(t, page, part)
	}
	require.NotContains(t, page, "<form")
	require.NotContains(t, page, "etcd does not answer")
	// What the policy would refuse.
	require.NotRegexp(t, `(?i)<style|\sstyle=|\son[a-z]+=|javascript:`, page)
	require.NotRegexp(t, `(?i)<script[^>]*>[^<]`, page)
	for _, src := range regexp.MustCompile(`(?:src|<link[^>]*href)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		part, _ := s.get("/webui/" + src[1])
		require.Equal(t, 200, part.StatusCode, src[1])
		again := httptest.NewRequest(http.MethodGet, "/webui/"+src[1], nil)
		again.Header.Set("If-None-Match", part.Header.Get("ETag"))
		w := httptest.NewRecorder()
		s.ui.ServeHTTP(w, again)
		require.Equal(t, http.StatusNotModified, w.Code)
	}
	// Every label that is pointed to is there.
	for _, id := range regexp.MustCompile(`aria-labelledby="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		require.Contains(t, page, `id="`+id[1]+`"`)
	}
	missing, _ := s.get("/webui/page.html")
	require.Equal(t, 404, missing.StatusCode)
}

func TestChangesArePushed(t *testing.T) {
	s := newStage(t, nil)
	s.ui.feed.source.every = time.Hour // so that nothing is seen that etcd does not tell of
	s.process(1, true)
	s.process(2, false)
	events, stop := s.viewer()
	defer stop()
	wait(t, events, "roles", `id="rootcoord-1" class="member active"`, `id="rootcoord-2" class="member standby"`, "Healthy", "StandBy")
	wait(t, events, "etcd", "m0 leads")
	wait(t, events, "beat", "20")
	s.put("session/rootcoord", `{"ServerID":2,"ServerName":"rootcoord","Address":"10.0.0.2:53100","Version":"2.5.6"}`)
	wait(t, events, "roles", `id="rootcoord-2" class="member active`, `id="rootcoord-1" class="member standby`)
	s.put("ha/rootcoord/history/00000000000000000009", fmt.Sprintf(takeover, 9, time.Now().Format(time.RFC3339Nano)))
	wait(t, events, "history", "takeover-rootcoord-9")
	s.put("ha/rootcoord/history/00000000000000000010", "garbage")
	wait(t, events, "history", "Not all could be read", "takeover-rootcoord-9")
	_, err := s.client.Delete(t.Context(), root+"/session/rootcoord")
	require.NoError(t, err)
	wait(t, events, "verdict", "nobody is active, of 2 that stand by")
}

// TestNobodyLooks checks that nothing is left of a look when the last viewer has gone: no goroutine, no connection.
func TestNobodyLooks(t *testing.T) {
	s := newStage(t, nil)
	s.process(1, true)
	// A coordinator has connections to etcd, and a stream of watches, that stay.
	_ = s.client.Watch(clientv3.WithRequireLeader(t.Context()), "something")
	events, stop := s.viewer()
	wait(t, events, "etcd", "m0 leads")
	wait(t, events, "beat")
	stop()
	s.web.Client().CloseIdleConnections()
	s.idle()
	before := goleak.IgnoreCurrent()
	for range 3 {
		first, stopFirst := s.viewer()
		second, stopSecond := s.viewer()
		wait(t, first, "roles", "Healthy")
		wait(t, second, "roles", "Healthy")
		stopFirst()
		wait(t, second, "beat")
		stopSecond()
		s.web.Client().CloseIdleConnections()
		s.idle()
		require.NoError(t, goleak.Find(before))
	}
	_, page := s.get("/webui/")
	require.Contains(t, page, `id="rootcoord-1"`)
	require.NoError(t, goleak.Find(before), "a page leaves nothing behind either")
}

func TestTooManyViewers(t *testing.T) {
	s := newStage(t, nil)
	s.process(1, true)
	var leaves []func()
	for range maxViewers {
		leave, ok := s.ui.feed.enter()
		require.True(t, ok)
		leaves = append(leaves, leave)
	}
	resp, _ := s.get("/webui/events")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Eventually(t, func() bool {
		resp, page := s.get("/webui/")
		return resp.StatusCode == 200 && strings.Contains(page, "Healthy")
	}, time.Minute, 10*time.Millisecond, "the page is served all the same")
	leaves[0]()
	leaves[0]() // once only
	events, stop := s.viewer()
	wait(t, events, "roles", "Healthy")
	stop()
	for _, leave := range leaves[1:] {
		leave()
	}
}

// TestEtcdAway checks that the page goes on with what is known, and says so.
func TestEtcdAway(t *testing.T) {
	s := newStage(t, nil)
	s.process(1, true)
	s.process(2, false)
	events, stop := s.viewer()
	wait(t, events, "roles", "Healthy", "StandBy")
	wait(t, events, "etcd", "m0 leads")
	s.etcd.Kill()
	verdict := wait(t, events, "verdict", "etcd does not answer")
	require.Contains(t, verdict, "what was known then")
	stop()
	_, page := s.get("/webui/")
	require.Contains(t, page, "etcd does not answer")
	require.Contains(t, page, `id="rootcoord-1"`)
	require.Contains(t, page, "Healthy", "the processes are there to be asked")
	s.etcd.Restart()
	s.etcd.WaitReady()
	events, stop = s.viewer()
	defer stop()
	wait(t, events, "verdict", "1 problem", "datacoord")
}

func TestEtcdThatWasNeverThere(t *testing.T) {
	s := newStage(t, nil)
	s.etcd.Kill()
	resp, page := s.get("/webui/")
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, page, "Asking etcd")
	require.Contains(t, page, `id="role-rootcoord"`)
	events, stop := s.viewer()
	defer stop()
	wait(t, events, "verdict", "etcd does not answer", "nothing is known but this process")
}
