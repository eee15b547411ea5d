package monitoring

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// query is an expression and where it stands.
type query struct{ where, text string }

// grafana are its variables that stand for durations; the others stand within strings, where the parser takes them as they are.
var grafana = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$__interval", "1m")

func parse(t *testing.T, q query) parser.Expr {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(grafana.Replace(q.text))
	require.NoError(t, err, "%s: %s", q.where, q.text)
	return expr
}

func queriesOf(rules []rule, d dashboard) (all []query) {
	for _, r := range rules {
		all = append(all, query{"rule " + r.Record + r.Alert, r.Expr})
	}
	for _, p := range d.all() {
		for _, target := range p.Targets {
			all = append(all, query{fmt.Sprintf("panel %q %s", p.Title, target.RefID), target.Expr})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, query{"annotation " + a.Name, a.Expr})
	}
	for _, v := range d.Templating.List {
		// label_values(SELECTOR, LABEL) asks for the values of a label.
		if m := regexp.MustCompile(`^label_values\((.*), (\w+)\)$`).FindStringSubmatch(v.Definition); m != nil {
			all = append(all, query{"variable " + v.Name, fmt.Sprintf("count by (%s) (%s)", m[2], m[1])})
		}
	}
	return all
}

// added are the labels that come with the scrape.
var added = map[string]bool{"cluster": true, "namespace": true, "job": true, "instance": true}

// catalog are the series that there are, by name.
type catalog map[string][]labels.Labels

// missing tells which of an expression's selectors choose nothing, and which labels that it groups by no series has.
func (c catalog) missing(expr parser.Expr) (faults []string) {
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			if !c.has(n) {
				faults = append(faults, "nothing exports "+n.String())
			}
		case *parser.AggregateExpr:
			known := c.labelsIn(n.Expr)
			for _, name := range n.Grouping {
				if !known[name] && !added[name] {
					faults = append(faults, fmt.Sprintf("no series of %s has a label %s", n, name))
				}
			}
		}
		return nil
	})
	return faults
}

func (c catalog) has(selector *parser.VectorSelector) bool {
	return slices.ContainsFunc(c[selector.Name], func(series labels.Labels) bool {
		return !slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool {
			// A variable of Grafana matches what the reader chooses; that the label exists is all that can be known.
			if strings.HasPrefix(m.Value, "$") {
				return !added[m.Name] && !series.Has(m.Name)
			}
			return m.Name != labels.MetricName && !m.Matches(series.Get(m.Name))
		})
	})
}

func (c catalog) labelsIn(expr parser.Expr) map[string]bool {
	names := map[string]bool{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			for _, series := range c[s.Name] {
				series.Range(func(l labels.Label) { names[l.Name] = true })
			}
		}
		return nil
	})
	return names
}

// record adds what the recording rules make of the series: their names, with the labels that they group by.
func (c catalog) record(t *testing.T, rules []rule) {
	for _, r := range rules {
		if r.Record == "" {
			continue
		}
		require.Empty(t, c.missing(parse(t, query{r.Record, r.Expr})), r.Record)
		level, _, ok := strings.Cut(r.Record, ":")
		require.True(t, ok, r.Record)
		b := labels.NewScratchBuilder(4)
		for _, name := range strings.Split(level, "_") {
			b.Add(name, "any")
		}
		b.Sort()
		c[r.Record] = append(c[r.Record], b.Labels())
	}
}

// TestMissingSeriesAreFound checks the check.
func TestMissingSeriesAreFound(t *testing.T) {
	c := catalog{"m": {labels.FromStrings("role", "rootcoord", "le", "1")}}
	for text, faults := range map[string]int{
		`m`:                             0,
		`rate(m{role="rootcoord"}[5m])`: 0,
		`m{role=~"$role", instance=~"$instance"}`: 0,
		`sum by (role, instance) (m)`:             0,
		`m{role="datacoord"}`:                     1,
		`m{state=~"$state"}`:                      1,
		`m and n`:                                 1,
		`sum by (state) (m)`:                      1,
		`histogram_quantile(0.9, sum by (state, le) (rate(o[$__rate_interval])))`: 3,
	} {
		require.Len(t, c.missing(parse(t, query{text, text})), faults, text)
	}
}

func TestExpressionsParse(t *testing.T) {
	for _, q := range queriesOf(readRules(t), readDashboard(t)) {
		parse(t, q)
	}
}

func TestTheDashboardIsTidy(t *testing.T) {
	d := readDashboard(t)
	require.NotEmpty(t, d.UID)
	require.NotEmpty(t, d.Title)
	variables := map[string]variable{}
	for _, v := range d.Templating.List {
		variables[v.Name] = v
		require.NotEmpty(t, v.Label, v.Name)
	}
	require.Equal(t, []string{"cluster", "datasource", "instance", "job", "namespace", "role"}, slices.Sorted(maps.Keys(variables)))
	require.Equal(t, "datasource", variables["datasource"].Type)
	for name, v := range variables {
		require.True(t, name == "datasource" || strings.HasPrefix(v.Definition, "label_values("), name)
	}
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	for _, p := range d.all() {
		require.NotZero(t, p.ID, p.Title)
		require.False(t, ids[p.ID], "panel id %d is there twice", p.ID)
		ids[p.ID] = true
		require.NotEmpty(t, p.Title, "panel %d", p.ID)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[at], "%q lies over another panel", p.Title)
				require.Less(t, at[0], 24, "%q sticks out", p.Title)
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.False(t, titles[p.Title], "two panels are called %q", p.Title)
		titles[p.Title] = true
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		require.Equal(t, datasource{"prometheus", "${datasource}"}, p.Datasource, p.Title)
		for _, target := range p.Targets {
			require.Equal(t, p.Datasource, target.Datasource, p.Title)
			for _, name := range []string{"cluster", "namespace", "job", "instance"} {
				require.Contains(t, target.Expr, fmt.Sprintf("%s=~%q", name, "$"+name), "%q cannot be narrowed down", p.Title)
			}
		}
	}
}
