package webui

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

//go:embed audit.js
var audit string

// shows waits until the page shows who is active and who stands by.
func (p *tab) shows(active, standby int64) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.getElementById("link").dataset.state === "live" &&
		document.querySelector("#rootcoord-%d.active")?.innerText.includes("Healthy") &&
		document.querySelector("#rootcoord-%d.standby")?.innerText.includes("StandBy") || false`, active, standby), "active and standby are shown")
}

// members are the ids of the active one and the standby, by etcd.
func (s *stage) members() (active, standby int64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		resp, err := s.client.Get(s.t.Context(), "by-dev/meta/session/rootcoord-", clientv3.WithPrefix())
		if err != nil || len(resp.Kvs) != 2 {
			return false
		}
		now, ok := clustertest.ActiveOf(s.t.Context(), s.client, "rootcoord")
		for _, kv := range resp.Kvs {
			var id int64
			if _, err := fmt.Sscanf(string(kv.Key), "by-dev/meta/session/rootcoord-%d", &id); err == nil && id != now.ServerID {
				standby = id
			}
		}
		active = now.ServerID
		return ok && standby != 0
	}, 2*time.Minute, 20*time.Millisecond)
	return active, standby
}

// TestThePage looks at a pair in every way that it can be looked at.
func TestThePage(t *testing.T) {
	window := browser(t)
	s := newStage(t, "rootcoord")
	_, standby, _ := s.active("rootcoord")
	a, b := s.members()
	for name, v := range map[string]view{
		"light": {}, "dark": {dark: true}, "phone": {width: 360, height: 780}, "dark phone": {width: 360, height: 780, dark: true},
		"tablet": {width: 800, height: 1100}, "narrow window": {width: 1024, height: 700}, "wide": {width: 2200, height: 1200},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t, window, standby.HTTP(), v)
			p.shows(a, b)
			p.wait(`document.getElementById("etcd").innerText.includes("m0 leads")`, "etcd's health")
			p.wait(`document.querySelectorAll("tr[id^=takeover-rootcoord-]").length === 1`, "the first takeover")
			require.Contains(t, eval[string](p, `document.getElementById("verdict").innerText`), "datacoord")
			require.Contains(t, eval[string](p, `document.title`), "by-dev")
			require.Contains(t, eval[string](p, fmt.Sprintf(`document.getElementById("rootcoord-%d").innerText`, b)), "this page")
			require.Empty(t, eval[[]string](p, audit))
			dark := eval[float64](p, `Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0])`) < 128
			require.Equal(t, v.dark, dark, "the scheme of the person's choice")
			// Open details stay open while the page is kept up to date.
			p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#reasons summary").click()`))
			time.Sleep(2500 * time.Millisecond)
			require.True(t, eval[bool](p, `document.getElementById("reasons").open`))
			p.clean()
		})
	}
	t.Run("without scripts", func(t *testing.T) {
		p := open(t, window, standby.HTTP(), view{noScript: true})
		text, err := chromedp.Run(p.ctx, chromedp.Text("body"))
		require.NoError(t, err)
		for _, part := range []string{"Milvus coordinators", "active", "Healthy", "StandBy", "nobody is registered", "every 5 s"} {
			require.Contains(t, text, part)
		}
		p.clean()
	})
}

// watchFor makes the page note when it first shows that a process is active, in milliseconds since 1970, after the frame.
const watchFor = `(() => {
	window.seenAt = 0;
	const look = () => {
		if (!window.seenAt && document.querySelector("#rootcoord-%d.active")) {
			window.seenAt = -1;
			requestAnimationFrame(() => setTimeout(() => { window.seenAt = performance.timeOrigin + performance.now(); }));
		}
	};
	new MutationObserver(look).observe(document.getElementById("roles"), { subtree: true, childList: true, attributes: true });
})()`

// claimed tells when etcd told of the next claim of the role.
func (s *stage) claimed(ctx context.Context) <-chan time.Time {
	told := make(chan time.Time, 1)
	watch := s.client.Watch(ctx, "by-dev/meta/session/rootcoord", clientv3.WithCreatedNotify(), clientv3.WithFilterDelete())
	<-watch
	go func() {
		for range watch {
			told <- time.Now()
			return
		}
	}()
	return told
}

// TestARoleChangeIsSeen kills the active process again and again, and says how long it took until the page of the other
// one showed that.
func TestARoleChangeIsSeen(t *testing.T) {
	window := browser(t)
	s := newStage(t, "rootcoord")
	var fromKill, fromClaim []time.Duration
	for range 5 {
		active, standby, _ := s.active("rootcoord")
		a, b := s.members()
		p := open(t, window, standby.HTTP(), view{})
		p.shows(a, b)
		eval[any](p, fmt.Sprintf(watchFor, b))
		claimed := s.claimed(t.Context())
		killed := time.Now()
		active.Kill()
		p.wait(`window.seenAt > 0`, "the change")
		seen := time.UnixMicro(int64(1000 * eval[float64](p, `window.seenAt`)))
		fromKill, fromClaim = append(fromKill, seen.Sub(killed)), append(fromClaim, seen.Sub(<-claimed))
		p.wait(fmt.Sprintf(`document.getElementById("history").innerText.includes("killed") && !document.getElementById("rootcoord-%d")`, a), "why, and that the other is gone")
		p.wait(`document.getElementById("verdict").innerText.includes("no standby")`, "what is wrong")
		require.Empty(t, eval[[]string](p, audit))
		p.clean()
		s.pairs["rootcoord"] = []*clustertest.Coord{standby}
		s.start("rootcoord").WaitLog("is in STANDBY")
	}
	figure(t, "kill -9 of the active one, until the page of the standby shows the new one", fromKill)
	figure(t, "etcd tells of the claim, until the page shows it", fromClaim)
}

// TestFirstPaint loads the page again and again with an empty cache, and says when its content was first painted; and, for
// comparison, when that of /livez was, which is two letters: that is the browser's and the machine's share.
func TestFirstPaint(t *testing.T) {
	window := browser(t)
	s := newStage(t, "rootcoord")
	_, standby, _ := s.active("rootcoord")
	p := open(t, window, standby.HTTP(), view{})
	call(p, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	for _, path := range []string{"/livez", "/webui/"} {
		var received, painted []time.Duration
		for range 20 {
			p.navigate(path)
			p.wait(`performance.getEntriesByName("first-contentful-paint").length === 1`, "a paint")
			painted = append(painted, time.Duration(1e6*eval[float64](p, `performance.getEntriesByName("first-contentful-paint")[0].startTime`)))
			received = append(received, time.Duration(1e6*eval[float64](p, `performance.getEntriesByType("navigation")[0].responseEnd`)))
		}
		figure(t, path+": navigation until all of the document has been received", received)
		figure(t, path+": navigation until the first contentful paint", painted)
	}
}

func figure(t *testing.T, what string, all []time.Duration) {
	t.Helper()
	slices.Sort(all)
	t.Logf("%s, %d runs: p50 %.0f ms, max %.0f ms", what, len(all), float64(all[len(all)/2])/1e6, float64(all[len(all)-1])/1e6)
}

// TestAPageWhoseProcessIsGone says so, and where to go on.
func TestAPageWhoseProcessIsGone(t *testing.T) {
	window := browser(t)
	s := newStage(t, "rootcoord")
	active, _, _ := s.active("rootcoord")
	a, b := s.members()
	p := open(t, window, active.HTTP(), view{})
	p.shows(a, b)
	active.Kill()
	p.wait(`document.getElementById("link").innerText === "disconnected" && !document.getElementById("gone").hidden`, "that it is gone")
	gone := eval[string](p, `document.getElementById("gone").innerText`)
	require.Contains(t, gone, "cannot be reached")
	require.Contains(t, gone, fmt.Sprintf("rootcoord %d", b))
	require.Empty(t, eval[[]string](p, audit))
}

// TestActions hands the role over by the keyboard, as somebody at the page does, and pauses.
func TestActions(t *testing.T) {
	window := browser(t)
	s := newStage(t)
	s.env = []string{"WEBUI_ACTIONS=true"}
	s.start("rootcoord")
	clustertest.WaitActive(t, s.client, 0, s.pairs["rootcoord"]...)
	s.start("rootcoord").WaitLog("is in STANDBY")
	a, b := s.members()
	p := open(t, window, s.pairs["rootcoord"][0].HTTP(), view{})
	p.shows(a, b)
	p.wait(`document.querySelectorAll("#switch-rootcoord option").length === 2`, "a standby to hand over to")
	require.Empty(t, eval[[]string](p, audit))
	p.do(chromedp.Focus("#switch-rootcoord summary"), chromedp.KeyEvent("\r"))
	p.wait(`document.getElementById("switch-rootcoord").open`, "the form")
	require.Empty(t, eval[[]string](p, audit))
	p.do(chromedp.Focus("#switch-rootcoord button"), chromedp.KeyEvent("\r"))
	p.wait(`document.querySelector("h1").innerText === "Done"`, "the outcome")
	require.Contains(t, eval[string](p, `document.body.innerText`), fmt.Sprintf("rootcoord: %d handed over to %d, nobody served for", a, b))
	p.do(chromedp.Click("main a"))
	p.shows(b, a)
	p.do(chromedp.Click("#pause-rootcoord summary"), chromedp.Click("#pause-rootcoord button"))
	p.wait(`document.querySelector("h1").innerText === "Done"`, "the outcome")
	p.do(chromedp.Click("main a"))
	p.wait(`document.body.innerText.includes("automatic takeovers are paused")`, "the pause")
	require.Empty(t, eval[[]string](p, audit))
	p.do(chromedp.Click(`form[action="resume"] button`))
	p.wait(`document.body.innerText.includes("standbys take over again")`, "its end")
	p.clean()
}
