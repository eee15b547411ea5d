package webui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/webui/markup"
)

// etcdPage is etcd's part.
type etcdPage struct {
	etcdutil.Health
	Heard   bool
	Leader  string
	Full    float64 // of the fullest member's quota, in percent
	Largest etcdutil.MemberHealth
	Read    time.Duration // the last one
	Slowest time.Duration
	Reads   string // points of the line
	Count   int
	Lost    time.Time
	Error   string
	Alarms  []string
}

func etcdData(p picture) etcdPage {
	e := etcdPage{Health: p.health, Heard: !p.health.At.IsZero(), Count: len(p.reads), Lost: p.lost}
	if p.lostError != nil {
		e.Error = p.lostError.Error()
	}
	for _, m := range p.health.Members {
		if m.Leader {
			e.Leader = m.Name
		}
		for _, words := range m.Errors {
			if _, name, ok := strings.Cut(words, "alarm:"); ok {
				words = name
			}
			if !slices.Contains(e.Alarms, words) {
				e.Alarms = append(e.Alarms, words)
			}
		}
		if m.InUse >= e.Largest.InUse && m.Err == nil {
			e.Largest = m
		}
	}
	if e.Largest.Quota > 0 {
		e.Full = min(100*float64(e.Largest.InUse)/float64(e.Largest.Quota), 100)
	}
	var points []string
	for _, r := range p.reads {
		e.Read, e.Slowest = r, max(e.Slowest, r)
	}
	for i, r := range p.reads {
		x := 100 * float64(readsKept-len(p.reads)+i) / float64(readsKept-1)
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, 22-20*float64(r)/float64(max(e.Slowest, time.Millisecond))))
	}
	e.Reads = strings.Join(points, " ")
	return e
}

func (e etcdPage) node() markup.Node {
	return markup.El("div", markup.Class("card"),
		markup.El("div", markup.Class("head"),
			markup.El("h2", markup.Attr("id", "etcd-title"), markup.Text("etcd")),
			markup.El("p", markup.Class("muted"), e.headline())),
		markup.If(e.Error != "", markup.El("p", markup.Class("warn-words"), markup.Attr("id", "etcd-wrong"), markup.Text(e.Error))),
		markup.El("div", markup.Class("figures"), markup.Attr("id", "etcd-figures"),
			figure("Database", e.database(), bar(e.Full, "db", when(e.Full > 80, "full"))),
			figure("Reading the sessions", e.reading(), e.line()),
			figure("Alarms", e.alarms())),
		markup.If(len(e.Members) > 0, e.table()))
}

func (e etcdPage) headline() markup.Node {
	switch {
	case !e.Lost.IsZero():
		return markup.Group(markup.Text("does not answer "), timeFor(e.Lost))
	case !e.Heard:
		return markup.Text("asking")
	}
	words := plural(len(e.Health.Members), "member", "members")
	if e.Leader != "" {
		words += ", " + e.Leader + " leads"
	}
	return markup.Text(words)
}

func figure(name string, words markup.Node, picture ...markup.Node) markup.Node {
	return markup.El("div", markup.El("h3", markup.Text(name)), markup.El("p", words), markup.Group(picture...))
}

func (e etcdPage) database() markup.Node {
	if e.Largest.DBSize == 0 {
		return muted("unknown")
	}
	words := " in use"
	if e.Largest.Quota != 0 {
		words += " of " + size(e.Largest.Quota)
	}
	return markup.Group(num(size(e.Largest.InUse), "big"), markup.Text(words))
}

func (e etcdPage) reading() markup.Node {
	switch {
	case !e.Lost.IsZero():
		return state("no answer")
	case e.Count == 0:
		return muted("unknown")
	}
	return markup.Group(num(took(e.Read), "big"), markup.Text(fmt.Sprintf(" with a quorum, slowest of %d: ", e.Count)), num(took(e.Slowest)))
}

// line draws how long the last reads took.
func (e etcdPage) line() markup.Node {
	return markup.El("svg", markup.Class("line"), markup.Fixed("viewBox", "0 0 100 24"), markup.Fixed("preserveAspectRatio", "none"),
		markup.Attr("aria-hidden", "true"), markup.El("polyline", markup.Attr("points", e.Reads)))
}

func (e etcdPage) alarms() markup.Node {
	switch {
	case e.Largest.Endpoint == "":
		return muted("unknown")
	case len(e.Alarms) == 0:
		return num("none", "big")
	}
	return markup.Each(e.Alarms, func(alarm string) markup.Node {
		return markup.Group(markup.El("span", markup.Class("badge", "bad"), markup.Text(alarm)), space)
	})
}

func (e etcdPage) table() markup.Node {
	return markup.El("table", markup.Attr("role", "table"), markup.Attr("id", "etcd-members"),
		caption("Members of etcd"),
		columns("Member", "Is", "Endpoint", "Answers in", "File", "Raft term", "Version"),
		rows(markup.Each(e.Health.Members, etcdRow)))
}

func etcdRow(m etcdutil.MemberHealth) markup.Node {
	return row(markup.If(m.Err != nil, markup.Class("ill")),
		heading(markup.Either(m.Name != "", markup.Text(m.Name), muted("unknown"))),
		cell("Is", standing(m)),
		cell("Endpoint", num(m.Endpoint)),
		cell("Answers in", markup.If(m.Took != 0, num(took(m.Took)))),
		cell("File", markup.If(m.DBSize != 0, num(size(m.DBSize)))),
		cell("Raft term", markup.If(m.RaftTerm != 0, num(fmt.Sprint(m.RaftTerm)))),
		cell("Version", num(m.Version)))
}

// standing tells what a member is to the others.
func standing(m etcdutil.MemberHealth) markup.Node {
	switch {
	case m.Err != nil:
		return state("no answer")
	case m.Endpoint == "":
		return muted("not among etcd.endpoints, not asked")
	case m.NoLeader:
		return state("without a leader")
	case m.Learner:
		return markup.Text("learner")
	case m.Leader:
		return markup.El("b", markup.Text("leader"))
	}
	return markup.Text("follower")
}
