package webui

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/milvus-coord/milvus/internal/coord"
)

// newest gives the takeovers of all roles, newest first, and what could not be read of them.
func newest(ctx context.Context, h *coord.History, roles []string) ([]coord.Takeover, error) {
	var takeovers []coord.Takeover
	var wrong []error
	for _, role := range roles {
		list, err := h.List(ctx, role)
		takeovers, wrong = append(takeovers, list...), append(wrong, err)
	}
	slices.SortStableFunc(takeovers, func(a, b coord.Takeover) int { return b.At.Compare(a.At) })
	return takeovers, errors.Join(wrong...)
}

// reasons are the causes of a takeover in words, and whether something had failed.
var reasons = map[string]struct {
	words  string
	failed bool
}{
	"first":       {"nobody had the role before", false},
	"stopped":     {"the one before was stopped and gave the role back", false},
	"switched":    {"the role was handed over by a switchover", false},
	"restarted":   {"the one before was restarted at the same address", false},
	"killed":      {"the process before was gone: its connection broke and its ports refused", true},
	"silent":      {"the one before did not renew its lease: stuck, cut off, or its host lost", true},
	"expired":     {"the lease of the one before ran out", true},
	"key deleted": {"somebody deleted its key or revoked its lease", true},
	"regained":    {"the same process lost the role and won it again", true},
}

// step is a part of a takeover as a bar shows it: where it begins and how wide it is, in percent of the whole.
type step struct {
	Name  string
	Took  time.Duration
	Class string
	X, W  float64
}

// Shown tells whether its time can be said in a tenth of a millisecond.
func (s step) Shown() bool { return s.Took >= 50*time.Microsecond }

// steps are what a takeover's time went to: the parts before the claim, and in the place of the activation its own parts.
func steps(t coord.Takeover) (list []step, total time.Duration) {
	var inner time.Duration
	for _, s := range t.Steps {
		switch s.Name {
		case "detect", "claim", "wait":
			list = append(list, step{Name: s.Name, Took: s.Took, Class: s.Name})
		case "activate":
			list = append(list, step{Name: "activate", Took: max(s.Took-inner, 0), Class: "activate"})
			if inner > 0 {
				list[len(list)-1].Name = "let in"
			}
		default:
			inner += s.Took
			list = append(list, step{Name: s.Name, Took: s.Took, Class: "activate"})
		}
	}
	for _, s := range list {
		total += s.Took
	}
	if total > 0 {
		at := 0.0
		for i := range list {
			list[i].X, list[i].W = at, 100*float64(list[i].Took)/float64(total)
			at += list[i].W
		}
	}
	return list, total
}

// lane is one role's line through time: who held it.
type lane struct {
	Role  string
	Spans []span
}

// Mid is where its label stands.
func (s span) Mid() float64 { return s.X + s.W/2 }

// span is a term on a lane, in percent of its width.
type span struct {
	ServerID int64
	Term     int64
	X, W     float64
	Odd      bool // neighbours differ
	Failed   bool // it began because something had failed
	Words    string
}

// windows are the lengths of time that the lanes may show.
var windows = []time.Duration{
	time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 365 * 24 * time.Hour,
}

// wanted is how many takeovers the lanes should show, if there are as many.
const wanted = 8

// window is the shortest that shows the newest takeovers.
func window(takeovers []coord.Takeover, now time.Time) time.Duration {
	if len(takeovers) == 0 {
		return windows[0]
	}
	oldest := takeovers[min(wanted, len(takeovers))-1].At
	for _, w := range windows {
		if now.Sub(oldest) < w {
			return w
		}
	}
	return windows[len(windows)-1]
}

// lanes draws who held each role in the window that ends now. A term lasts until the next one begins: when exactly its
// holder was lost is not recorded.
func lanes(roles []string, takeovers []coord.Takeover, now time.Time, w time.Duration) []lane {
	at := func(t time.Time) float64 { return min(max(100*(1-float64(now.Sub(t))/float64(w)), 0), 100) }
	drawn := make([]lane, 0, len(roles))
	for _, role := range roles {
		l, until := lane{Role: role}, 100.0
		for _, t := range takeovers { // newest first
			if t.Role != role || until <= 0 {
				continue
			}
			from := at(t.At)
			l.Spans = append(l.Spans, span{
				ServerID: t.ServerID, Term: t.Term, X: from, W: until - from, Odd: t.ServerID%2 == 1,
				Failed: reasons[t.Reason].failed && from > 0, Words: t.Reason,
			})
			until = from
		}
		drawn = append(drawn, l)
	}
	return drawn
}
