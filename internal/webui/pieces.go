package webui

import (
	"time"

	"github.com/milvus-coord/milvus/internal/webui/markup"
)

// space stands between words.
var space = markup.Text(" ")

// num is a figure, or a name that is compared letter by letter.
func num(text string, classes ...string) markup.Node {
	return markup.El("span", markup.Class(append([]string{"num"}, classes...)...), markup.Text(text))
}

// muted is what stands where nothing is known.
func muted(text string) markup.Node {
	return markup.El("span", markup.Class("muted"), markup.Text(text))
}

// state is how something is.
func state(text string) markup.Node {
	return markup.El("span", markup.Class("state"), markup.Text(text))
}

func small(nodes ...markup.Node) markup.Node { return markup.El("small", nodes...) }

// timeFor is since when something lasts; app.js makes "for 5 s" of it.
func timeFor(t time.Time, more ...markup.Node) markup.Node {
	return markup.El("time", markup.Attr("data-rel", "for"), markup.Attr("datetime", stamp(t)), markup.Attr("title", moment(t)),
		markup.Group(more...), markup.Text("since "+moment(t)))
}

// timeAgo is when something was; app.js makes "5 s ago" of it.
func timeAgo(t time.Time) markup.Node {
	return markup.El("time", markup.Attr("data-rel", "ago"), markup.Attr("datetime", stamp(t)), markup.Attr("title", moment(t)),
		markup.Text(moment(t)))
}

// bar is a share of a hundred percent.
func bar(width float64, classes ...string) markup.Node {
	return markup.El("svg", markup.Class(append([]string{"bar"}, classes...)...), markup.Attr("aria-hidden", "true"),
		markup.El("rect", markup.Class("track"), markup.Attr("width", "100%"), markup.Attr("height", "100%"), markup.Fixed("rx", "3")),
		markup.El("rect", markup.Class("fill"), markup.Attr("width", percent(width)), markup.Attr("height", "100%"), markup.Fixed("rx", "3")))
}

// Tables. Their roles are said, because the style sheet makes blocks of them on a narrow screen.

func caption(text string) markup.Node {
	return markup.El("caption", markup.Class("unseen"), markup.Text(text))
}

// columns is the head of a table.
func columns(names ...string) markup.Node {
	return markup.El("thead", markup.Attr("role", "rowgroup"), row(markup.Each(names, func(name string) markup.Node { return column(name) })))
}

func column(name string, more ...markup.Node) markup.Node {
	return markup.El("th", markup.Attr("role", "columnheader"), markup.Attr("scope", "col"), markup.Group(more...), markup.Text(name))
}

func row(nodes ...markup.Node) markup.Node {
	return markup.El("tr", markup.Attr("role", "row"), markup.Group(nodes...))
}

func rows(nodes markup.Node) markup.Node {
	return markup.El("tbody", markup.Attr("role", "rowgroup"), nodes)
}

// heading is the cell that names its row.
func heading(nodes ...markup.Node) markup.Node {
	return markup.El("th", markup.Attr("role", "rowheader"), markup.Attr("scope", "row"), markup.Group(nodes...))
}

// cell is a cell of a column, which it names where the head is not shown.
func cell(label string, nodes ...markup.Node) markup.Node {
	return markup.El("td", markup.Attr("role", "cell"), markup.Attr("data-label", label), markup.Group(nodes...))
}
