package markup

import (
	"net/url"
	"slices"
	"strings"
)

// constant is the type of what must be written in the program: strings of other types do not become one by themselves.
type constant string

// Node is a part of a page: an element, a text, an attribute of the element around it, several of these, or nothing, as the
// zero Node is. It never changes.
type Node struct{ attrs, body string }

// String is the markup, without attributes that stand in no element.
func (n Node) String() string { return n.body }

var (
	escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "\r", "&#13;", "\x00", "\uFFFD")

	// void elements have no content and no end.
	void = []constant{"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
	// raw elements are those whose text a browser takes as it stands, or less its first line end; they stay empty.
	raw = []constant{"iframe", "listing", "noembed", "noframes", "plaintext", "pre", "script", "style", "textarea", "xmp"}
	// plain attributes only say something, and so do all that begin with aria- or data-.
	plain = []constant{
		"class", "datetime", "height", "id", "lang", "name", "points", "role", "scope", "title", "value", "width", "x", "y",
	}
)

func escape(s string) string { return escaper.Replace(strings.ToValidUTF8(s, "\uFFFD")) }

// Document is a whole page: html with the nodes in it.
func Document(nodes ...Node) Node { return Node{body: "<!doctype html>\n" + El("html", nodes...).body} }

// El is an element. Attributes and content may come in any order among the nodes.
func El(name constant, nodes ...Node) Node {
	in := Group(nodes...)
	start := "<" + string(name) + in.attrs + ">"
	if in.body != "" && (slices.Contains(void, name) || slices.Contains(raw, name)) {
		panic("markup: " + string(name) + " is to have no content")
	}
	if slices.Contains(void, name) {
		return Node{body: start}
	}
	return Node{body: start + in.body + "</" + string(name) + ">"}
}

// Text is a text.
func Text(s string) Node { return Node{body: escape(s)} }

// Attr is an attribute that only says something.
func Attr(name constant, value string) Node {
	if !slices.Contains(plain, name) && !strings.HasPrefix(string(name), "aria-") && !strings.HasPrefix(string(name), "data-") {
		panic("markup: " + string(name) + " is no attribute for data")
	}
	return attr(name, value)
}

// Fixed is an attribute whose value is written in the program.
func Fixed(name, value constant) Node { return attr(name, string(value)) }

// Flag is an attribute that says all by being there.
func Flag(name constant) Node {
	refuse(name)
	return Node{attrs: " " + string(name)}
}

// Class is the attribute class; empty names are left out.
func Class(names ...string) Node {
	return attr("class", strings.Join(slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == "" }), " "))
}

// Href is the attribute href: an address by http or https, or a path, query or fragment on the same host. It is nothing for
// any other address.
func Href(address string) Node {
	u, err := url.Parse(address)
	if err != nil {
		return Node{}
	}
	web := (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	here := u.Scheme == "" && u.Host == "" && !strings.HasPrefix(address, "//") && !strings.Contains(address, `\`)
	if !web && !here {
		return Node{}
	}
	return attr("href", address)
}

func attr(name constant, value string) Node {
	refuse(name)
	return Node{attrs: " " + string(name) + `="` + escape(value) + `"`}
}

// refuse keeps out what the page's policy lets no browser run either.
func refuse(name constant) {
	if name == "style" || strings.HasPrefix(string(name), "on") {
		panic("markup: there is no attribute " + string(name))
	}
}

// Group is several nodes one after the other.
func Group(nodes ...Node) Node {
	var attrs, body strings.Builder
	for _, n := range nodes {
		attrs.WriteString(n.attrs)
		body.WriteString(n.body)
	}
	return Node{attrs.String(), body.String()}
}

// If is the nodes, or nothing.
func If(cond bool, nodes ...Node) Node {
	if !cond {
		return Node{}
	}
	return Group(nodes...)
}

// Either is one of two.
func Either(cond bool, then, otherwise Node) Node {
	if cond {
		return then
	}
	return otherwise
}

// Each is one node for each item.
func Each[T any](items []T, node func(T) Node) Node {
	nodes := make([]Node, 0, len(items))
	for _, item := range items {
		nodes = append(nodes, node(item))
	}
	return Group(nodes...)
}
