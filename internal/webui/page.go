package webui

import (
	"strings"

	"github.com/milvus-coord/milvus/internal/webui/markup"
)

// section is a part of the page that changes. Its name is its id, and that of the event that brings a newer one.
type section struct {
	name    string
	label   markup.Node // attributes
	content markup.Node
}

// sections makes all parts of the page that change, in their order.
func (u *UI) sections(p picture) []section {
	return []section{
		{"verdict", markup.Group(markup.Attr("aria-live", "polite"), markup.Attr("aria-label", "Verdict")), u.verdict(p).node()},
		{"roles", markup.Attr("aria-label", "Roles"), markup.Each(u.roles(p), roleData.node)},
		{"history", markup.Attr("aria-labelledby", "history-title"), u.history(p).node()},
		{"etcd", markup.Attr("aria-labelledby", "etcd-title"), etcdData(p).node()},
	}
}

// beat is the event that tells a viewer that the stream is alive, once a second; its data is this host's time.
const beat = "beat"

// fragments are the sections as events have them, and a beat.
func (u *UI) fragments(p picture) []fragment {
	var made []fragment
	for _, s := range u.sections(p) {
		made = append(made, fragment{name: s.name, html: s.content.String()})
	}
	return append(made, fragment{name: beat, html: stamp(p.now.Truncate(lookEvery))})
}

// document is the whole page. What changes is in the sections; app.js puts newer ones in their places.
func (u *UI) document(p picture) markup.Node {
	return markup.Document(
		markup.Attr("lang", "en"),
		head(u.verdict(p).Title,
			markup.El("script", markup.Fixed("src", "app.js"), markup.Flag("defer")),
			markup.El("noscript", markup.El("meta", markup.Fixed("http-equiv", "refresh"), markup.Fixed("content", "5")))),
		markup.El("body",
			markup.El("a", markup.Class("skip"), markup.Href("#main"), markup.Text("Skip to the state")),
			u.masthead(),
			markup.El("main", markup.Attr("id", "main"), markup.Fixed("tabindex", "-1"),
				markup.El("p", markup.Attr("id", "gone"), markup.Class("gone"), markup.Attr("role", "alert"), markup.Flag("hidden")),
				markup.Each(u.sections(p), func(s section) markup.Node {
					return markup.El("section", markup.Attr("id", s.name), s.label, s.content)
				})),
			u.footer(p)))
}

// head is what every document says of itself.
func head(title string, more ...markup.Node) markup.Node {
	return markup.El("head",
		markup.El("meta", markup.Fixed("charset", "utf-8")),
		markup.El("title", markup.Text(title)),
		markup.El("meta", markup.Attr("name", "viewport"), markup.Fixed("content", "width=device-width, initial-scale=1")),
		markup.El("meta", markup.Attr("name", "color-scheme"), markup.Fixed("content", "light dark")),
		markup.El("link", markup.Fixed("rel", "icon"), markup.Href("icon.svg"), markup.Fixed("type", "image/svg+xml")),
		markup.El("link", markup.Fixed("rel", "stylesheet"), markup.Href("style.css")),
		markup.Group(more...))
}

// masthead tells what is looked at, from where, and how the page is connected.
func (u *UI) masthead() markup.Node {
	var self []string
	for _, r := range u.cfg.Status() {
		words := r.Name
		if r.ServerID != 0 {
			words += " " + number(r.ServerID)
		}
		self = append(self, words)
	}
	return markup.El("header",
		markup.El("div",
			markup.El("h1", markup.Text("Milvus coordinators "), markup.El("span", markup.Class("cluster"), markup.Text(u.cfg.Cluster))),
			markup.El("p", markup.Class("muted"), markup.Text("seen from "+strings.Join(self, ", ")+" on "+u.cfg.HostName))),
		markup.El("p", markup.Attr("id", "link"), markup.Class("link"), markup.Attr("role", "status"), markup.Attr("data-state", "none"),
			markup.El("span", markup.Class("dot"), markup.Attr("aria-hidden", "true")),
			markup.El("span", markup.Attr("id", "link-words"), markup.Text("every 5 s"))))
}

func (u *UI) footer(p picture) markup.Node {
	link := func(path, words string) markup.Node { return markup.El("a", markup.Href(path), markup.Text(words)) }
	zone, _ := p.now.Local().Zone()
	allowed := "read-only"
	if u.cfg.Actions {
		allowed = "actions are on"
	}
	return markup.El("footer",
		markup.El("nav", markup.Attr("aria-label", "More of this process"),
			link("/metrics", "metrics"), space, link("/readyz", "readiness"), space, link("/ha", "standing"), space, link("/log/level", "log level")),
		markup.El("p", markup.Class("muted"), markup.Text(u.cfg.Version+" · "+allowed+" · times are of "+zone+", as in the log")))
}

// outcome is the document that says what became of an action.
func outcome(title, words string) markup.Node {
	return markup.Document(
		markup.Attr("lang", "en"),
		head(title),
		markup.El("body", markup.El("main", markup.Class("outcome"),
			markup.El("h1", markup.Text(title)),
			markup.El("p", markup.Text(words)),
			markup.El("p", markup.El("a", markup.Href("/webui/"), markup.Text("Back to the status page"))))))
}
