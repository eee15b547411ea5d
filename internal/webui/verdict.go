package webui

import (
	"time"

	"github.com/milvus-coord/milvus/internal/webui/markup"
)

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

func (v verdict) node() markup.Node {
	return markup.El("div", markup.Class("verdict", v.Class), markup.Attr("data-title", v.Title),
		markup.El("h2",
			markup.El("span", markup.Class("mark"), markup.Attr("aria-hidden", "true")),
			markup.Text(v.Headline),
			markup.If(!v.Since.IsZero(), space, timeFor(v.Since, markup.Attr("aria-hidden", "true")))),
		markup.If(v.Note != "", markup.El("p", markup.Text(v.Note))),
		markup.If(len(v.Problems) > 0, markup.El("ul", markup.Each(v.Problems, func(p problem) markup.Node {
			return markup.El("li", markup.El("b", markup.Text(p.Subject)), markup.Text(" "+p.Words))
		}))))
}
