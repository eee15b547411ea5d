package webui

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
)

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", -time.Second: "0 ms", 1234 * time.Microsecond: "1.2 ms", 25 * time.Millisecond: "25 ms", 6300 * time.Millisecond: "6.3 s", 90 * time.Second: "1 min",
	} {
		require.Equal(t, want, took(d))
	}
	for d, want := range map[time.Duration]string{59 * time.Second: "59 s", 59 * time.Minute: "59 min", 47 * time.Hour: "47 h", 50 * time.Hour: "2 d"} {
		require.Equal(t, want, length(d))
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 2 << 30: "2.0 GiB", 300 << 20: "300 MiB"} {
		require.Equal(t, want, size(n))
	}
	require.Zero(t, lagWidth(-1))
	require.Equal(t, 40.0, lagWidth(10))
	require.Equal(t, 100.0, lagWidth(1<<60))
}

func TestStepsOfATakeover(t *testing.T) {
	ms := time.Millisecond
	list, total := steps(coord.Takeover{Steps: []coord.Step{
		{Name: "detect", Took: 10 * ms}, {Name: "claim", Took: 5 * ms}, {Name: "ids", Took: 3 * ms}, {Name: "activate", Took: 5 * ms},
	}})
	require.Equal(t, 20*ms, total)
	require.Len(t, list, 4)
	require.Equal(t, step{Name: "let in", Took: 2 * ms, Class: "activate", X: 90, W: 10}, list[3])
	list, total = steps(coord.Takeover{})
	require.Empty(t, list)
	require.Zero(t, total)
}

func TestLanes(t *testing.T) {
	now := time.Now()
	at := func(role string, id int64, ago time.Duration, reason string) coord.Takeover {
		return coord.Takeover{Role: role, Term: id, ServerID: id, Reason: reason, At: now.Add(-ago)}
	}
	takeovers := []coord.Takeover{
		at("rootcoord", 3, 30*time.Second, "killed"), at("datacoord", 9, 45*time.Second, "first"), at("rootcoord", 2, 54*time.Second, "switched"),
		at("rootcoord", 1, 20*time.Minute, "first"), at("rootcoord", 0, time.Hour, "first"),
	}
	require.Equal(t, time.Minute, windows[0])
	require.Equal(t, 6*time.Hour, window(takeovers, now))
	require.Equal(t, time.Minute, window(nil, now))
	got := lanes([]string{"rootcoord", "datacoord", "querycoord"}, takeovers, now, time.Minute)
	require.Len(t, got, 3)
	require.Len(t, got[0].Spans, 3, "one that ended before the window is not drawn")
	require.Empty(t, got[2].Spans)
	until := 100.0
	for _, s := range got[0].Spans {
		require.InDelta(t, until, s.X+s.W, 1e-9, "they leave no gap")
		require.GreaterOrEqual(t, s.X, 0.0)
		until = s.X
	}
	require.Zero(t, until)
	require.InDelta(t, 50, got[0].Spans[0].X, 1e-6)
	require.True(t, got[0].Spans[0].Failed)
	require.False(t, got[0].Spans[1].Failed)
	require.InDelta(t, 75, got[0].Spans[0].Mid(), 1e-6)
}

// TestNobodysWordsBecomeMarkup fills the page with what somebody else may have written into etcd.
func TestNobodysWordsBecomeMarkup(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Actions = true })
	evil := `"><script>alert(1)</script><img src=x onerror=alert(1)>` + "\rdata: x"
	var takeovers []coord.Takeover
	for range recentShown + 1 {
		takeovers = append(takeovers, coord.Takeover{
			Role: evil, Reason: evil, PredecessorAddress: evil, Predecessor: 1, At: time.Now(), Steps: []coord.Step{{Name: evil, Took: time.Second}},
		})
	}
	p := picture{
		now: time.Now(), heard: all, takeovers: takeovers, histories: errors.New(evil), lostError: errors.New(evil),
		view: haview.View{At: time.Now(), Roles: []haview.Role{{
			Name: evil, Paused: &haview.Pause{By: evil}, Problems: []string{evil},
			Members: []haview.Member{{ServerID: 1, Kind: evil, Address: evil, Host: evil, Version: evil, State: evil, HTTP: "javascript:alert(1)"}},
		}}},
		health: etcdutil.Health{At: time.Now(), Members: []etcdutil.MemberHealth{{
			Name: evil, Endpoint: evil, Version: evil, Leader: true, Errors: []string{"alarm:" + evil},
		}}},
	}
	for _, f := range s.ui.fragments(p) {
		require.NotContains(t, f.html, "<script")
		require.NotContains(t, f.html, "<img")
		require.NotContains(t, f.html, "javascript:")
		require.NotContains(t, f.html, "\r")
	}
	form := roleData{Role: haview.Role{Name: evil}, Token: "t", Fit: []haview.Member{{ServerID: 2, Address: evil}}}
	require.NotRegexp(t, "<script|<img", form.node().String())
	require.NotRegexp(t, "<script>|<img", s.ui.document(p).String())
	require.NotRegexp(t, "<script|<img", outcome(evil, evil).String())
}

func FuzzPageLink(f *testing.F) {
	for _, text := range []string{"", "a:1", "10.0.0.1:9091", "[::1]:9091", "javascript:alert(1)", "a@b:1", "a/b:1", "a:99999", "a:0", "a?b:1", "a b:1", "[fe80::1%eth0]:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, address string) {
		link := pageLink(address, "/webui/")
		if link == "" {
			return
		}
		u, err := url.Parse(link)
		require.NoError(t, err)
		require.Equal(t, "http", u.Scheme)
		require.Nil(t, u.User)
		require.Equal(t, "/webui/", u.Path)
		require.Empty(t, u.RawQuery+u.Fragment)
		require.Contains(t, strings.ToLower(address), strings.ToLower(u.Hostname()))
	})
}

func FuzzParsePause(f *testing.F) {
	for _, text := range []string{"", "30m", "168h", "-1s", "1ns", "x", "9999999h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		length, err := parsePause(text)
		if err != nil {
			require.Contains(t, err.Error(), "for is not a length of time")
			return
		}
		require.True(t, text == "" && length == 0 || length >= time.Second && length <= longestPause)
	})
}
