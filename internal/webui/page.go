package webui

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/opshttp"
)

// names of the fragments, in the order of the page. Each is a template of that name, and an element of that id.
var fragmentNames = []string{"verdict", "roles", "history", "etcd"}

// beat is the event that tells a viewer that the stream is alive, once a second; its data is this host's time.
const beat = "beat"

// pageData is what page.html is made of.
type pageData struct {
	Title, Cluster, Version, HostName, Zone string
	Self                                    []opshttp.RoleStatus
	Actions                                 bool
	Fragments                               map[string]template.HTML
}

func (u *UI) newPage(p picture) pageData {
	zone, _ := p.now.Local().Zone()
	d := pageData{
		Cluster: u.cfg.Cluster, Version: u.cfg.Version, HostName: u.cfg.HostName, Zone: zone,
		Self: u.cfg.Status(), Actions: u.cfg.Actions, Fragments: map[string]template.HTML{},
	}
	d.Title = u.title(u.verdict(p).Headline)
	for _, f := range u.fragments(p) {
		d.Fragments[f.name] = template.HTML(f.html) //nolint:gosec // made by a template
	}
	return d
}

// fragments makes all parts of the page that change.
func (u *UI) fragments(p picture) []fragment {
	data := map[string]any{"verdict": u.verdict(p), "roles": u.roles(p), "history": u.history(p), "etcd": etcdData(p)}
	made := make([]fragment, 0, len(fragmentNames)+1)
	for _, name := range fragmentNames {
		var out bytes.Buffer
		if err := u.tmpl.ExecuteTemplate(&out, name+".html", data[name]); err != nil {
			panic(fmt.Sprintf("webui: %s: %v", name, err)) // the templates are tested with all they can be given
		}
		made = append(made, fragment{name: name, html: out.String()})
	}
	return append(made, fragment{name: beat, html: stamp(p.now.Truncate(lookEvery))})
}

// verdict is the first thing to read: whether all is well, and what is not.
type verdict struct {
	Title    string
	Headline string
	Class    string // well, unwell or unknown
	Problems []problem
	Note     string // about what is shown
	Since    time.Time
}

type problem struct{ Subject, Words string }

func (u *UI) verdict(p picture) verdict {
	v := verdict{Class: "well", Headline: "All is well"}
	for _, r := range p.view.Roles {
		for _, words := range r.Problems {
			v.Problems = append(v.Problems, problem{r.Name, words})
		}
	}
	for _, words := range p.health.Problems() {
		v.Problems = append(v.Problems, problem{"etcd", words})
	}
	if len(v.Problems) > 0 {
		v.Class, v.Headline = "unwell", plural(len(v.Problems), "problem", "problems")
	} else {
		v.Note = "Every role is active and has a standby that can take over at once."
	}
	switch {
	case !p.lost.IsZero():
		v.Class, v.Headline, v.Since = "unwell", "etcd does not answer", p.lost
		v.Note = "What is shown of sessions and terms is what was known then. Coordinators that cannot reach etcd stop answering " +
			"after a few seconds, and go on by themselves when it is back."
		if p.view.At.IsZero() {
			v.Note = "It has not answered since this page was first looked at: nothing is known but this process."
		}
	case !p.heard.sessions:
		v.Class, v.Headline, v.Note = "unknown", "Asking etcd", ""
		if !p.view.At.IsZero() {
			v.Note, v.Since = "What is shown is what was known when somebody last looked.", p.view.At
		}
	}
	v.Title = u.title(v.Headline)
	return v
}

// roleData is one role.
type roleData struct {
	haview.Role
	Members []memberData
	Last    *coord.Takeover // how its present term began
	Gap     time.Duration   // of that takeover
	Failed  bool            // something had failed
	Fit     []haview.Member // that may take over
	Token   string          // empty: no actions
}

// Holder is the active one; nil if there is none.
func (r roleData) Holder() *memberData {
	for i := range r.Members {
		if r.Members[i].Kind == haview.Active {
			return &r.Members[i]
		}
	}
	return nil
}

// memberData is one process of a role.
type memberData struct {
	haview.Member
	Self bool // this process
	Ill  bool
	// Of the bars, in percent.
	LeaseWidth, LagWidth float64
}

// roles are the roles with their processes. What this process says of itself needs no question.
func (u *UI) roles(p picture) []roleData {
	self := map[string]opshttp.RoleStatus{}
	for _, s := range u.cfg.Status() {
		self[s.Name] = s
	}
	view := p.view.Roles
	if p.view.At.IsZero() {
		view = nil
		for _, name := range u.cfg.Roles {
			view = append(view, haview.Role{Name: name})
		}
	}
	all := make([]roleData, 0, len(view))
	for _, role := range view {
		r := roleData{Role: role}
		if u.cfg.Actions {
			r.Token = u.token
		}
		for _, m := range role.Members {
			one := memberData{Member: m, Ill: len(m.Problems()) > 0, LagWidth: lagWidth(m.Lag)}
			one.Self = self[role.Name].ServerID == m.ServerID && m.ServerID != 0
			if m.Granted > 0 {
				one.LeaseWidth = min(max(100*m.Lease/m.Granted, 0), 100)
			}
			if m.Kind == haview.Standby && !one.Ill && m.Answered() {
				r.Fit = append(r.Fit, m)
			}
			r.Members = append(r.Members, one)
		}
		r.began(p.takeovers)
		all = append(all, r)
	}
	return all
}

// began finds how the present term began.
func (r *roleData) began(takeovers []coord.Takeover) {
	holder := r.Holder()
	if holder == nil {
		return
	}
	for i := range takeovers {
		if t := &takeovers[i]; t.Role == r.Name && t.Term == holder.Term {
			_, r.Gap = steps(*t)
			r.Last, r.Failed = t, reasons[t.Reason].failed
			return
		}
	}
}

// lagWidth is logarithmic: ten revisions are a fifth of the bar, a hundred thousand all of it.
func lagWidth(lag int64) float64 {
	width := 0.0
	for n := lag; n > 0; n /= 10 {
		width += 20
	}
	return min(width, 100)
}

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
