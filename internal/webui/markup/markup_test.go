package markup_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/milvus-coord/milvus/internal/webui/markup"
)

func TestMarkup(t *testing.T) {
	for want, node := range map[string]markup.Node{
		``:                                     {},
		`a&amp;b &lt;c&gt; &#34;&#39;`:         markup.Text(`a&b <c> "'`),
		"a&#13;\nb\uFFFDc\uFFFD":               markup.Text("a\r\nb\x00c\xff\xfe"),
		`<p></p>`:                              markup.El("p"),
		`<p title="&lt;&#34;">x</p>`:           markup.El("p", markup.Text("x"), markup.Attr("title", `<"`)),
		`<p data-id="1" aria-label="b"></p>`:   markup.El("p", markup.Attr("data-id", "1"), markup.Attr("aria-label", "b")),
		`<td class="a b"></td>`:                markup.El("td", markup.Class("a", "", "b")),
		`<input type="hidden" value="&#34;">`:  markup.El("input", markup.Fixed("type", "hidden"), markup.Attr("value", `"`)),
		`<script src="app.js" defer></script>`: markup.El("script", markup.Fixed("src", "app.js"), markup.Flag("defer")),
		`<a></a>`:                              markup.El("a", markup.Href("javascript:alert(1)")),
		`<b class="x">12</b>`:                  markup.El("b", markup.Group(markup.Class("x"), markup.Text("1")), markup.Node{}, markup.Text("2")),
		`yes`:                                  markup.If(true, markup.Text("y"), markup.Text("es")),
		`no`:                                   markup.Group(markup.If(false, markup.Text("yes")), markup.Text("no")),
		`ab`:                                   markup.Group(markup.Either(true, markup.Text("a"), markup.Text("x")), markup.Either(false, markup.Text("x"), markup.Text("b"))),
		`<i>a</i><i>b</i>`:                     markup.Each([]string{"a", "b"}, func(s string) markup.Node { return markup.El("i", markup.Text(s)) }),
		"<!doctype html>\n<html lang=\"en\"><body></body></html>": markup.Document(markup.Fixed("lang", "en"), markup.El("body")),
	} {
		require.Equal(t, want, node.String())
	}
}

func TestHref(t *testing.T) {
	for address, ok := range map[string]bool{
		"http://10.0.0.1:9091/webui/": true, "https://[::1]:9091/": true, "/metrics": true, "style.css": true, "#main": true, "?a=b:c": true, "": true,
		"javascript:alert(1)": false, "JavaScript:alert(1)": false, " javascript:alert(1)": false, "java\tscript:alert(1)": false, "\x01javascript:x": false,
		"data:text/html,x": false, "vbscript:x": false, "//elsewhere/": false, `/\elsewhere/`: false, "http:x": false, "http://": false, "ftp://a/": false,
	} {
		require.Equal(t, ok, strings.Contains(markup.El("a", markup.Href(address)).String(), "href"), address)
	}
}

func TestMistakesPanic(t *testing.T) {
	for name, mistake := range map[string]func(){
		"content of a void element": func() { markup.El("input", markup.Text("x")) },
		"text of a program":         func() { markup.El("script", markup.Text("x")) },
		"text of a style":           func() { markup.El("style", markup.Text("x")) },
		"data as an address":        func() { markup.Attr("href", "x") },
		"data as a source":          func() { markup.Attr("src", "x") },
		"data as an action":         func() { markup.Attr("action", "x") },
		"data as a program":         func() { markup.Attr("onclick", "x") },
		"data as a style":           func() { markup.Attr("style", "x") },
		"a program":                 func() { markup.Fixed("onclick", "x") },
		"a style":                   func() { markup.Fixed("style", "x") },
		"a program without a value": func() { markup.Flag("onclick") },
	} {
		require.Panics(t, mistake, name)
	}
}

// elements are those that may hold text, with what must be around them.
var elements = map[string]func(...markup.Node) markup.Node{
	"p": func(in ...markup.Node) markup.Node { return markup.El("p", in...) },
	"td": func(in ...markup.Node) markup.Node {
		return markup.El("table", markup.El("tbody", markup.El("tr", markup.El("td", in...))))
	},
	"title": func(in ...markup.Node) markup.Node { return markup.El("title", in...) },
	"option": func(in ...markup.Node) markup.Node {
		return markup.El("form", markup.El("select", markup.El("option", in...)))
	},
	"text": func(in ...markup.Node) markup.Node { return markup.El("svg", markup.El("g", markup.El("text", in...))) },
}

// FuzzDataStaysData checks that a parser of HTML finds in a page what was put there, and nothing more.
func FuzzDataStaysData(f *testing.F) {
	for _, text := range []string{
		"", "a", " a\n", "\r\n\r", "\x00", "\xff", "&amp;", "&#60;b&#62;", "<b>", "</p><script>alert(1)</script>", `"><img src=x onerror=alert(1)>`,
		"' onclick='x", "<!--", "]]>", "</title>", "<![CDATA[", "`", "a=b c", "javascript:alert(1)", "http://a:1/?x=\"", "/\"><b>",
	} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		for name, element := range elements {
			made := element(
				markup.Attr("title", value), markup.Class(value), markup.Text(text), markup.Href(value), markup.Attr("data-x", text),
			)
			found := parse(t, made.String())
			ends := strings.Count(made.String(), "</")
			require.Len(t, found, ends, "no element more")
			got := found[len(found)-1]
			require.Equal(t, name, got.Data)
			want := map[string]string{"title": arrives(value), "class": arrives(value), "data-x": arrives(text)}
			if href, ok := attrs(got)["href"]; ok {
				want["href"] = arrives(value)
				requireHarmless(t, href)
			}
			require.Equal(t, want, attrs(got))
			require.Equal(t, arrives(text), content(t, got))
		}
	})
}

// arrives is what a browser gets of a string.
func arrives(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// parse gives the elements in a part of a body, in order.
func parse(t *testing.T, made string) []*html.Node {
	t.Helper()
	body := &html.Node{Type: html.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := html.ParseFragment(strings.NewReader(made), body)
	require.NoError(t, err)
	var found []*html.Node
	for _, top := range nodes {
		body.AppendChild(top)
	}
	for n := range body.Descendants() {
		require.NotEqual(t, html.CommentNode, n.Type)
		if n.Type == html.ElementNode {
			found = append(found, n)
		}
	}
	return found
}

func attrs(n *html.Node) map[string]string {
	got := map[string]string{}
	for _, a := range n.Attr {
		got[a.Key] = a.Val
	}
	return got
}

// content is the text of an element that holds nothing else.
func content(t *testing.T, n *html.Node) string {
	t.Helper()
	text := ""
	for c := range n.ChildNodes() {
		require.Equal(t, html.TextNode, c.Type)
		text += c.Data
	}
	return text
}

// requireHarmless reads an address as browsers do: they drop blanks around it, and tabs and line ends anywhere.
func requireHarmless(t *testing.T, address string) {
	t.Helper()
	address = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(strings.TrimLeftFunc(address, func(r rune) bool { return r <= ' ' }))
	scheme, _, ok := strings.Cut(address, ":")
	if !ok || strings.ContainsAny(scheme, "/?#") {
		return
	}
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Contains(t, []string{"http", "https"}, u.Scheme)
}
