package webui

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/opshttp"
)

// TestSameAsTheTemplates renders random pictures with both, and compares what a browser makes of them.
func TestSameAsTheTemplates(t *testing.T) {
	tmpl := template.Must(template.New("").Funcs(template.FuncMap{
		"took": took, "size": size, "moment": moment, "stamp": stamp, "length": length, "plural": plural, "pct": percent,
		"link": pageLink, "whole": func(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) },
	}).ParseFS(assets, "assets/*.html"))
	old := func(name string, data any) string {
		var out bytes.Buffer
		require.NoError(t, tmpl.ExecuteTemplate(&out, name+".html", data))
		return out.String()
	}
	for seed := range uint64(400) {
		r := random{rand.New(rand.NewPCG(seed, 7))}
		u := &UI{token: r.text()}
		u.cfg = Config{
			Cluster: r.text(), Roles: []string{"rootcoord", "datacoord"}, HostName: r.text(), Version: r.text(), Actions: r.some(),
			Status: func() []opshttp.RoleStatus {
				return []opshttp.RoleStatus{{Name: "rootcoord", ServerID: int64(seed % 3)}, {Name: "datacoord", ServerID: 1}}
			},
		}
		p := r.picture()
		zone, _ := p.now.Local().Zone()
		roles := u.roles(p)
		for i := range roles {
			if r.some() {
				roles[i].Fit = roles[i].Role.Members
			}
			same(t, old("roles", roles[i:i+1]), roles[i].node().String(), false)
		}
		made := map[string]any{"verdict": u.verdict(p), "roles": u.roles(p), "history": u.history(p), "etcd": etcdData(p)}
		fragments := map[string]template.HTML{}
		for _, f := range u.fragments(p)[:4] {
			fragments[f.name] = template.HTML(old(f.name, made[f.name]))
			same(t, string(fragments[f.name]), f.html, false)
		}
		same(t, old("page", map[string]any{
			"Title": u.title(u.verdict(p).Headline), "Cluster": u.cfg.Cluster, "Version": u.cfg.Version, "HostName": u.cfg.HostName, "Zone": zone,
			"Self": u.cfg.Status(), "Actions": u.cfg.Actions, "Fragments": fragments,
		}), u.document(p).String(), true)
		title, words := r.text(), r.text()
		same(t, old("outcome", map[string]any{"Title": title, "Words": words}), outcome(title, words).String(), true)
	}
}

func same(t *testing.T, want, got string, whole bool) {
	t.Helper()
	w, g := normal(t, want, whole), normal(t, got, whole)
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			t.Fatalf("want %q\ngot  %q", w[max(0, i-4):min(len(w), i+4)], g[max(0, i-4):min(len(g), i+4)])
		}
	}
	require.Len(t, g, len(w))
}

var blocks = []string{
	"html", "head", "body", "meta", "link", "script", "noscript", "title", "header", "main", "section", "footer", "nav", "div", "p", "h1", "h2", "h3", "ul", "li", "article", "table",
	"caption", "thead", "tbody", "tr", "td", "th", "dl", "dt", "dd", "details", "summary", "form", "option", "text",
}
var atoms = []string{"svg", "select", "button"} // the inputs are hidden

// normal is a list of tags and texts in which white space is as browsers show it.
func normal(t *testing.T, s string, whole bool) []string {
	t.Helper()
	var roots []*html.Node
	if whole {
		doc, err := html.Parse(strings.NewReader(s))
		require.NoError(t, err)
		roots = []*html.Node{doc}
	} else {
		var err error
		roots, err = html.ParseFragment(strings.NewReader(s), &html.Node{Type: html.ElementNode, Data: "section", DataAtom: atom.Section})
		require.NoError(t, err)
	}
	var out []string
	blank, inAtom := true, 0 // nothing, or a space, is before
	edge := func() {
		for i := len(out) - 1; i >= 0 && !slices.ContainsFunc(blocks, func(b string) bool {
			return strings.HasPrefix(out[i], "<"+b+" ") || out[i] == "</"+b+">"
		}); i-- {
			if text, ok := strings.CutPrefix(out[i], "text:"); ok {
				if out[i] = "text:" + strings.TrimRight(text, " "); out[i] == "text:" {
					out = slices.Delete(out, i, i+1)
				}
				break
			}
			if strings.HasPrefix(out[i], "</svg") || strings.HasPrefix(out[i], "</select") || strings.HasPrefix(out[i], "</button") {
				break
			}
		}
		blank = true
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Type {
		case html.TextNode:
			text := ""
			for _, c := range n.Data {
				if strings.ContainsRune(" \n\t\r\f", c) {
					if !blank {
						text += " "
					}
					blank = true
				} else {
					text += string(c)
					blank = false
				}
			}
			if text != "" && (inAtom == 0 || strings.TrimSpace(text) != "") {
				out = append(out, "text:"+text)
			}
			return
		case html.CommentNode:
			t.Fatal("comment", n.Data)
		case html.ElementNode:
			if slices.Contains(blocks, n.Data) {
				edge()
			}
			if n.Parent != nil && n.Parent.Data == "form" || n.Parent != nil && slices.ContainsFunc(n.Parent.Attr, func(a html.Attribute) bool {
				return a.Key == "class" && slices.Contains([]string{"lane", "axis", "link"}, a.Val)
			}) { // grid and flex, where white space is dropped
				edge()
			}
			var attrs []string
			for _, a := range n.Attr {
				if a.Key == "class" {
					a.Val = strings.Join(strings.Fields(a.Val), " ")
				}
				attrs = append(attrs, fmt.Sprintf("%s=%q", a.Key, strings.ReplaceAll(a.Val, "\r", "\n")))
			}
			slices.Sort(attrs)
			out = append(out, "<"+n.Data+" "+strings.Join(attrs, " "))
			if slices.Contains(atoms, n.Data) {
				inAtom++
				blank = true
			}
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
		if n.Type == html.ElementNode {
			if slices.Contains(blocks, n.Data) {
				edge()
			}
			out = append(out, "</"+n.Data+">")
			if slices.Contains(atoms, n.Data) {
				inAtom--
				blank = false
			}
		}
	}
	for _, n := range roots {
		walk(n)
	}
	edge()
	return out
}

type random struct{ *rand.Rand }

func (r random) some() bool { return r.IntN(2) == 0 }

func (r random) text() string {
	all := []string{"", "a", "v1", `"><script>alert(1)</script>`, "a&b+c'`=", "a:1", "10.0.0.1:9091", "[::1]:9091", "javascript:alert(1)", "x\rdata: y", "killed", "first", "silent", "detect", "activate", "ids", "é→·", "\xff"}
	return all[r.IntN(len(all)-1)]
}

func (r random) time(now time.Time) time.Time {
	if r.IntN(4) == 0 {
		return time.Time{}
	}
	return now.Add(-time.Duration(r.Int64N(int64(time.Duration(1) << r.IntN(60)))))
}

func (r random) took() time.Duration {
	return []time.Duration{0, 20 * time.Microsecond, time.Millisecond, 70 * time.Millisecond, 3 * time.Second, time.Hour}[r.IntN(6)]
}

func (r random) err() error {
	if r.some() {
		return nil
	}
	return errors.New(r.text() + "\n" + r.text())
}

func (r random) picture() picture {
	now := time.Now()
	p := picture{now: now, heard: parts{r.some(), r.some(), r.some(), r.some()}, lost: r.time(now), histories: r.err()}
	if r.some() {
		p.lost = time.Time{}
	} else {
		p.lostError = r.err()
	}
	p.view.At = r.time(now)
	for _, name := range []string{"rootcoord", r.text()} {
		role := haview.Role{Name: name}
		for range r.IntN(3) {
			role.Problems = append(role.Problems, r.text())
		}
		if r.some() {
			role.Paused = &haview.Pause{By: r.text(), Until: r.time(now)}
		}
		for range r.IntN(4) {
			m := haview.Member{
				ServerID: r.Int64N(3), Kind: []string{haview.Active, haview.Standby, r.text()}[r.IntN(3)], Address: r.text(), Host: r.text(), Protocol: r.text(), Version: r.text(),
				State: r.text(), Term: r.Int64N(3), Lease: float64(r.IntN(20)) - 1.0, Granted: float64(r.IntN(20)), Lag: r.Int64N(4) - 1, Since: r.time(now), PID: r.IntN(3), HTTP: r.text(),
			}
			answer := reflect.ValueOf(&m).Elem().FieldByName("answer")
			for _, f := range []string{"asked", "reached", "loaded"} {
				*(*bool)(unsafe.Pointer(answer.FieldByName(f).UnsafeAddr())) = r.some()
			}
			role.Members = append(role.Members, m)
		}
		p.view.Roles = append(p.view.Roles, role)
	}
	for range r.IntN(60) * r.IntN(2) {
		t := coord.Takeover{
			Role: []string{"rootcoord", "datacoord", r.text()}[r.IntN(3)], Term: r.Int64N(3), ServerID: r.Int64N(9), Reason: r.text(),
			Predecessor: r.Int64N(2), PredecessorAddress: r.text(), At: now.Add(-r.took()),
		}
		for range r.IntN(5) {
			t.Steps = append(t.Steps, coord.Step{Name: r.text(), Took: r.took()})
		}
		p.takeovers = append(p.takeovers, t)
	}
	for range r.IntN(60) * r.IntN(2) {
		p.reads = append(p.reads, r.took())
	}
	if r.some() {
		p.health.At = now
	}
	for range r.IntN(4) {
		m := etcdutil.MemberHealth{
			Endpoint: r.text(), Name: r.text(), Version: r.text(), Leader: r.some(), Learner: r.some(), NoLeader: r.some(), RaftTerm: r.Uint64N(3), DBSize: r.Int64N(2) << 20,
			InUse: r.Int64N(2 << 20), Quota: r.Int64N(2) << 21, Took: r.took(), Err: r.err(),
		}
		for range r.IntN(3) {
			m.Errors = append(m.Errors, "memberID:1 alarm:"+r.text())
		}
		p.health.Members = append(p.health.Members, m)
	}
	return p
}
