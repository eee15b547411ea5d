package webui

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/webui/markup"
)

var tags = regexp.MustCompile(`<[^>]*>`)

// words are what a person reads of a node.
func words(n markup.Node) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(n.String(), " ")), " ")
}

func TestAProcessInWords(t *testing.T) {
	full := haview.Member{
		ServerID: 3, Kind: "active", State: "Healthy", Address: "a:53100", Host: "h", PID: 5, Lease: 7, Granted: 10, Lag: 1,
		Version: "v1", Protocol: "2.5.6", HTTP: "a:9091",
	}
	require.Equal(t, "active 3 this page Healthy a:53100 h · pid 5 7 s of 10 1 revision v1 Milvus 2.5.6 page metrics",
		words(memberData{Member: full, Self: true}.row("rootcoord")))
	foreign := haview.Member{ServerID: 4, Kind: "standby", Address: "b:1", Host: "i", Lease: -1, Lag: -1, Protocol: "2.5.6"}
	require.Equal(t, "standby 4 does not say b:1 i unknown unknown not ours Milvus 2.5.6", words(memberData{Member: foreign}.row("rootcoord")))
	require.Equal(t, "asking", words(memberData{Member: haview.Member{HTTP: "a:1"}}.state()))
	require.Equal(t, "2 revisions", words(memberData{Member: haview.Member{Lag: 2}}.lag()))
}

func TestARoleWithoutAProcess(t *testing.T) {
	r := roleData{Role: haview.Role{Name: "rootcoord"}}
	require.Equal(t, "rootcoord nobody is active no process is registered", words(r.node()))
	r.Token, r.Fit = "t", []haview.Member{{ServerID: 2, Address: "a:1"}}
	require.Contains(t, r.node().String(), `<option value="2">2 at a:1</option>`)
	require.Contains(t, r.node().String(), `<option value="30m" selected>30 minutes</option>`)
	r.Paused = &haview.Pause{By: "ops"}
	require.Contains(t, words(r.node()), "takeovers paused until resumed, by ops")
	require.Contains(t, words(r.node()), "Resume takeovers")
	require.NotContains(t, words(r.node()), "30 minutes")
}

func TestAMemberOfEtcdInWords(t *testing.T) {
	for want, m := range map[string]etcdutil.MemberHealth{
		"m0 leader e 2.0 ms 1.0 MiB 7 3.6.1":     {Name: "m0", Endpoint: "e", Leader: true, Took: 2 * time.Millisecond, DBSize: 1 << 20, RaftTerm: 7, Version: "3.6.1"},
		"unknown no answer e":                    {Endpoint: "e", Err: errors.New("refused")},
		"m1 not among etcd.endpoints, not asked": {Name: "m1"},
		"m2 without a leader e":                  {Name: "m2", Endpoint: "e", NoLeader: true},
		"m3 learner e":                           {Name: "m3", Endpoint: "e", Learner: true},
		"m4 follower e":                          {Name: "m4", Endpoint: "e"},
	} {
		require.Equal(t, want, words(etcdRow(m)))
		require.Equal(t, m.Err != nil, strings.Contains(etcdRow(m).String(), `class="ill"`))
	}
}

func TestEtcdInWords(t *testing.T) {
	require.Equal(t, "etcd asking Database unknown Reading the sessions unknown Alarms unknown", words(etcdData(picture{}).node()))
	p := picture{reads: []time.Duration{3 * time.Millisecond, time.Millisecond}, health: etcdutil.Health{At: time.Now(), Members: []etcdutil.MemberHealth{
		{Name: "m0", Endpoint: "e", Leader: true, DBSize: 2 << 30, InUse: 1843 << 20, Quota: 2 << 30, Errors: []string{"memberID:1 alarm:NOSPACE"}},
	}}}
	got := etcdData(p).node()
	require.Contains(t, words(got), "1 member, m0 leads Database 1.8 GiB in use of 2.0 GiB "+
		"Reading the sessions 1.0 ms with a quorum, slowest of 2: 3.0 ms Alarms NOSPACE")
	require.Contains(t, got.String(), `class="bar db full"`)
	p.health.Members[0].Errors, p.health.Members[0].InUse = nil, 1<<20
	p.lost = time.Now()
	got = etcdData(p).node()
	require.Contains(t, words(got), "Reading the sessions no answer Alarms none")
	require.Contains(t, words(got), "does not answer since")
	require.NotContains(t, got.String(), "full")
}

func TestOlderTakeovers(t *testing.T) {
	u := &UI{}
	require.Equal(t, "Takeovers asking etcd", words(u.history(picture{}).node()))
	require.Equal(t, "Takeovers none is recorded yet", words(u.history(picture{heard: all}).node()))
	p := picture{now: time.Now(), heard: all}
	for i := range recentShown + olderShown + 1 {
		p.takeovers = append(p.takeovers, coord.Takeover{Role: "rootcoord", Term: int64(100 - i), ServerID: 2, Reason: "first", At: p.now.Add(-time.Minute)})
	}
	got := u.history(p).node()
	require.Contains(t, words(got), "40 older takeovers")
	require.Equal(t, recentShown+olderShown, strings.Count(got.String(), `id="takeover-rootcoord-`))
	require.Contains(t, words(got), "rootcoord term 100 nobody → 2 first 0 ms")
	require.Contains(t, words(got), "first nobody had the role before")
}
