package webui

import (
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/webui/markup"
)

// actions are the forms by which a role is switched over, paused and resumed.
func (r roleData) actions() markup.Node {
	return markup.El("div", markup.Class("actions"), markup.Attr("id", "actions-"+r.Name),
		markup.El("details", markup.Attr("id", "switch-"+r.Name),
			markup.El("summary", markup.Text("Switch over")),
			markup.Either(len(r.Fit) > 0, r.switchForm(),
				markup.El("p", markup.Class("muted"), markup.Text("No standby is fit to take over at once.")))),
		markup.Either(r.Paused != nil, r.resumeForm(),
			markup.El("details", markup.Attr("id", "pause-"+r.Name), markup.El("summary", markup.Text("Pause takeovers")), r.pauseForm())))
}

func (r roleData) switchForm() markup.Node {
	return r.form(markup.Fixed("action", "switchover"), "Hand over now",
		markup.El("label", markup.Text("hand "+r.Name+" over to "),
			markup.El("select", markup.Attr("name", "to"),
				option("", "the one that has stood by for longest"),
				markup.Each(r.Fit, func(m haview.Member) markup.Node {
					id := number(m.ServerID)
					return option(id, id+" at "+m.Address)
				}))))
}

func (r roleData) pauseForm() markup.Node {
	return r.form(markup.Fixed("action", "pause"), "Pause",
		markup.El("label", markup.Text("nobody takes "+r.Name+" over by itself for "),
			markup.El("select", markup.Attr("name", "for"),
				option("10m", "10 minutes"),
				option("30m", "30 minutes", markup.Flag("selected")),
				option("2h", "2 hours"),
				option("8h", "8 hours"),
				option("", "as long as nobody resumes"))))
}

func (r roleData) resumeForm() markup.Node {
	return r.form(markup.Fixed("action", "resume"), "Resume takeovers")
}

// form is a form as [UI.act] wants it.
func (r roleData) form(action markup.Node, button string, fields ...markup.Node) markup.Node {
	hidden := func(name, value string) markup.Node {
		return markup.El("input", markup.Fixed("type", "hidden"), markup.Attr("name", name), markup.Attr("value", value))
	}
	return markup.El("form", markup.Fixed("method", "post"), action,
		hidden("token", r.Token), hidden("role", r.Name),
		markup.Group(fields...),
		markup.El("button", markup.Text(button)))
}

func option(value, text string, more ...markup.Node) markup.Node {
	return markup.El("option", markup.Attr("value", value), markup.Group(more...), markup.Text(text))
}
