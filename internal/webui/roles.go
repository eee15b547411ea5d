package webui

import (
	"time"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/webui/markup"
)

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

func (r roleData) node() markup.Node {
	return markup.El("article", markup.Class("card", "role"), markup.Attr("id", "role-"+r.Name), markup.Attr("aria-labelledby", "title-"+r.Name),
		markup.El("div", markup.Class("head"),
			markup.El("h2", markup.Attr("id", "title-"+r.Name), markup.Text(r.Name)),
			markup.El("p", markup.Class("muted"), r.holding(), r.beginning()),
			r.pausing()),
		markup.Either(len(r.Members) > 0, r.table(), markup.El("p", markup.Class("muted", "none"), markup.Text("no process is registered"))),
		markup.If(r.Token != "", r.actions()))
}

// holding tells in which term the role is held.
func (r roleData) holding() markup.Node {
	holder := r.Holder()
	if holder == nil {
		return markup.Text("nobody is active")
	}
	return markup.Group(markup.Text("term "), num(number(holder.Term)))
}

// beginning tells how the present term began, if that is known.
func (r roleData) beginning() markup.Node {
	if r.Last == nil {
		return markup.Node{}
	}
	how := markup.Text("won")
	if r.Last.Predecessor != 0 {
		how = markup.Group(markup.Text("took over from "), num(number(r.Last.Predecessor)),
			markup.Text(" ("), why(r.Last.Reason, r.Failed), markup.Text(")"))
	}
	return markup.Group(markup.Text(" · "), how, markup.Text(" in "), num(took(r.Gap)), markup.Text(", "), timeAgo(r.Last.At))
}

func (r roleData) pausing() markup.Node {
	if r.Paused == nil {
		return markup.Node{}
	}
	until := "until resumed"
	if !r.Paused.Until.IsZero() {
		until = "until " + moment(r.Paused.Until)
	}
	return markup.El("p", markup.Class("badge", "warn"), markup.Text("takeovers paused "+until+", by "+r.Paused.By))
}

func (r roleData) table() markup.Node {
	return markup.El("table", markup.Attr("role", "table"), markup.Attr("id", "members-"+r.Name),
		caption("Processes of "+r.Name),
		columns("Process", "State", "Address", "Lease", "Behind etcd", "Version", "Open"),
		rows(markup.Each(r.Members, func(m memberData) markup.Node { return m.row(r.Name) })))
}

func (m memberData) row(role string) markup.Node {
	id := number(m.ServerID)
	return row(
		markup.Attr("id", role+"-"+id), markup.Class("member", m.Kind, when(m.Ill, "ill")),
		markup.Attr("data-kind", m.Kind), markup.Attr("data-id", id),
		heading(
			markup.El("span", markup.Class("kind"), markup.Text(m.Kind)), space, num(id, "id"),
			markup.If(m.Self, space, markup.El("span", markup.Class("self"), markup.Text("this page")))),
		cell("State", m.state(), space, markup.If(!m.Since.IsZero(), small(timeFor(m.Since)))),
		cell("Address", num(m.Address), space, small(
			markup.Text(m.Host), markup.If(m.PID != 0, markup.Text(" · pid "), num(number(int64(m.PID)))))),
		cell("Lease", m.lease()),
		cell("Behind etcd", m.lag()),
		cell("Version",
			markup.Either(m.Version != "", num(m.Version), muted("not ours")), space, small(markup.Text("Milvus "+m.Protocol))),
		cell("Open", m.link("/webui/", "page", role, markup.Class("page")), space, m.link("/metrics", "metrics", role)))
}

func (m memberData) state() markup.Node {
	switch {
	case m.State != "":
		return state(m.State)
	case m.HTTP == "":
		return muted("does not say")
	case m.Asked():
		return state("no answer")
	}
	return muted("asking")
}

func (m memberData) lease() markup.Node {
	if m.Lease < 0 {
		return muted("unknown")
	}
	return markup.Group(bar(m.LeaseWidth, "lease"), space, num(whole(m.Lease)+" s"), space, small(markup.Text("of "+whole(m.Granted))))
}

func (m memberData) lag() markup.Node {
	if m.Lag < 0 {
		return muted("unknown")
	}
	unit := "revisions"
	if m.Lag == 1 {
		unit = "revision"
	}
	return markup.Group(bar(m.LagWidth, "lag"), space, num(number(m.Lag)), space, small(markup.Text(unit)))
}

// link is a link to a path of the process; nothing if its address is none.
func (m memberData) link(path, words, role string, more ...markup.Node) markup.Node {
	address := pageLink(m.HTTP, path)
	if address == "" {
		return markup.Node{}
	}
	return markup.El("a", markup.Href(address), markup.Attr("aria-label", words+" of "+role+" "+number(m.ServerID)),
		markup.Group(more...), markup.Text(words))
}
