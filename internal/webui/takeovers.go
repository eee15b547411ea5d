package webui

import (
	"strings"
	"time"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/webui/markup"
)

// takeoverData is a takeover with its bar.
type takeoverData struct {
	coord.Takeover
	Steps  []step
	Total  time.Duration
	Failed bool
	Words  string // the reason
}

// historyData is the time line.
type historyData struct {
	Heard   bool
	Wrong   string
	Window  time.Duration
	From    time.Time
	Lanes   []lane
	Recent  []takeoverData
	Older   []takeoverData
	Reasons []reasonData
}

type reasonData struct{ Name, Words string }

// Takeovers that are shown at once, and after "older".
const (
	recentShown = 8
	olderShown  = 40
)

func (u *UI) history(p picture) historyData {
	h := historyData{Heard: p.heard.history || len(p.takeovers) > 0, Window: window(p.takeovers, p.now)}
	if p.histories != nil && p.lost.IsZero() { // else it is said already
		h.Wrong = strings.ReplaceAll(p.histories.Error(), "\n", "; ")
	}
	now := p.now.Truncate(h.Window / 300) // so that it changes only when that can be seen
	h.From = now.Add(-h.Window)
	h.Lanes = lanes(u.cfg.Roles, p.takeovers, now, h.Window)
	used := map[string]bool{}
	for i, t := range p.takeovers {
		one := takeoverData{Takeover: t, Failed: reasons[t.Reason].failed, Words: reasons[t.Reason].words}
		one.Steps, one.Total = steps(t)
		switch {
		case i < recentShown:
			h.Recent = append(h.Recent, one)
		case i < recentShown+olderShown:
			h.Older = append(h.Older, one)
		default:
			continue
		}
		if !used[t.Reason] && one.Words != "" {
			used[t.Reason] = true
			h.Reasons = append(h.Reasons, reasonData{t.Reason, one.Words})
		}
	}
	return h
}

func (h historyData) node() markup.Node {
	words := "asking etcd"
	switch {
	case len(h.Recent) > 0:
		words = "who was active in the last " + length(h.Window)
	case h.Heard:
		words = "none is recorded yet"
	}
	return markup.El("div", markup.Class("card"),
		markup.El("div", markup.Class("head"),
			markup.El("h2", markup.Attr("id", "history-title"), markup.Text("Takeovers")),
			markup.El("p", markup.Class("muted"), markup.Text(words))),
		markup.If(h.Wrong != "", markup.El("p", markup.Class("warn-words"), markup.Attr("id", "history-wrong"),
			markup.Text("Not all could be read: "+h.Wrong))),
		markup.If(len(h.Recent) > 0, h.lanes(), h.recent(), h.older(), h.legend()))
}

func (h historyData) lanes() markup.Node {
	return markup.El("div", markup.Class("lanes"), markup.Attr("id", "lanes"),
		markup.Each(h.Lanes, lane.node),
		markup.El("div", markup.Class("axis"),
			markup.El("time", markup.Attr("datetime", stamp(h.From)), markup.Text(moment(h.From))),
			markup.El("span", markup.Text("now"))))
}

func (l lane) node() markup.Node {
	var spans []string
	for _, s := range l.Spans {
		spans = append(spans, number(s.ServerID)+" in term "+number(s.Term)+" ("+s.Words+")")
	}
	if len(spans) == 0 {
		spans = []string{"nobody"}
	}
	return markup.El("div", markup.Class("lane"), markup.Attr("id", "lane-"+l.Role),
		markup.El("span", markup.Class("lane-name"), markup.Text(l.Role)),
		markup.El("svg", markup.Attr("role", "img"), markup.Attr("aria-label", l.Role+", newest first: "+strings.Join(spans, "; ")),
			markup.El("rect", markup.Class("track"), markup.Attr("width", "100%"), markup.Attr("height", "100%")),
			markup.Each(l.Spans, span.node)))
}

// node is a term, where it began if that can be seen, and whose it was if there is room.
func (s span) node() markup.Node {
	id := number(s.ServerID)
	return markup.El("g",
		markup.El("title", markup.Text(id+" in term "+number(s.Term)+": "+s.Words)),
		markup.El("rect", markup.Class("span", when(s.Odd, "odd")),
			markup.Attr("x", percent(s.X)), markup.Attr("width", percent(s.W)), markup.Attr("height", "100%")),
		markup.If(s.X > 0, markup.El("rect", markup.Class("cut", when(s.Failed, "failed")),
			markup.Attr("x", percent(s.X)), markup.Attr("width", "3"), markup.Attr("height", "100%"))),
		markup.If(s.W > 4, markup.El("text", markup.Attr("x", percent(s.Mid())), markup.Attr("y", "50%"), markup.Text(id))))
}

// takeoverColumns are the columns of both tables but the last one.
var takeoverColumns = []string{"Served again", "Role", "From and to", "Why", "Where the time went"}

func (h historyData) recent() markup.Node {
	return markup.El("table", markup.Attr("role", "table"), markup.Class("takeovers"), markup.Attr("id", "takeovers"),
		caption("Takeovers, newest first"),
		markup.El("thead", markup.Attr("role", "rowgroup"), row(
			markup.Each(takeoverColumns, func(name string) markup.Node { return column(name) }), column("Took", markup.Class("right")))),
		rows(markup.Each(h.Recent, takeoverData.row)))
}

func (h historyData) older() markup.Node {
	if len(h.Older) == 0 {
		return markup.Node{}
	}
	return markup.El("details", markup.Attr("id", "older"),
		markup.El("summary", markup.Text(plural(len(h.Older), "older takeover", "older takeovers"))),
		markup.El("table", markup.Attr("role", "table"), markup.Class("takeovers"),
			caption("Older takeovers"),
			markup.El("thead", markup.Attr("role", "rowgroup"), markup.Class("unseen"), row(
				markup.Each(takeoverColumns, func(name string) markup.Node { return column(name) }), column("Took"))),
			rows(markup.Each(h.Older, takeoverData.row))))
}

func (t takeoverData) row() markup.Node {
	from := muted("nobody")
	if t.Predecessor != 0 {
		from = markup.El("span", markup.Class("num"), markup.Attr("title", t.PredecessorAddress), markup.Text(number(t.Predecessor)))
	}
	return row(
		markup.Attr("id", "takeover-"+t.Role+"-"+number(t.Term)),
		cell("Served again", timeAgo(t.At)),
		heading(markup.Text(t.Role+" "), small(markup.Text("term "+number(t.Term)))),
		cell("From and to", from, space,
			markup.El("span", markup.Class("muted"), markup.Attr("aria-label", "to"), markup.Text("→")), space,
			num(number(t.ServerID))),
		cell("Why", why(t.Reason, t.Failed, markup.Attr("title", t.Words))),
		cell("Where the time went", markup.Class("where"),
			markup.El("svg", markup.Class("bar", "steps"), markup.Attr("aria-hidden", "true"), markup.Each(t.Steps, step.bar)),
			space, small(markup.Each(t.Steps, step.words))),
		cell("Took", markup.Class("right", "num"), markup.Text(took(t.Total))))
}

func (s step) bar() markup.Node {
	return markup.If(s.W != 0, markup.El("rect", markup.Class(s.Class),
		markup.Attr("x", percent(s.X)), markup.Attr("width", percent(s.W)), markup.Attr("height", "100%")))
}

func (s step) words() markup.Node {
	return markup.If(s.Shown(), markup.El("span", markup.Class("step"), markup.Text(s.Name+" "), num(took(s.Took))), space)
}

// why is the reason of a takeover.
func why(reason string, failed bool, more ...markup.Node) markup.Node {
	return markup.El("span", markup.Class("why", when(failed, "failed")), markup.Group(more...), markup.Text(reason))
}

func (h historyData) legend() markup.Node {
	key := func(class, words string) markup.Node {
		return markup.Group(markup.El("span", markup.Class("key", class)), markup.Text(" "+words))
	}
	return markup.El("div", markup.Class("legend"), markup.Attr("id", "legend"),
		markup.El("p", key("detect", "detect "), key("claim", "claim "), key("wait", "wait for the predecessor's answers to end "),
			key("activate", "activate")),
		markup.El("details", markup.Attr("id", "reasons"),
			markup.El("summary", markup.Text("What the reasons mean")),
			markup.El("dl", markup.Each(h.Reasons, func(r reasonData) markup.Node {
				return markup.Group(markup.El("dt", markup.Text(r.Name)), markup.El("dd", markup.Text(r.Words)))
			}))))
}
