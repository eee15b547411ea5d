package tso

import (
	"context"
	"testing"

	"go.uber.org/zap"
	"pgregory.net/rapid"
)

// machine drives one key through terms, clock settings and outages, and holds what was handed out against the model:
// one counter that only grows, always below the stored bound.
type machine struct {
	w     *world
	ts    *Timestamps // nil between terms
	ids   *IDs        // in the runs that test ids
	forID bool
	last  uint64 // the largest value that was handed out
	some  bool
}

func (m *machine) config() Config {
	return Config{Client: m.w.etcd, Term: m.w.term, Key: testKey, Logger: zap.NewNop(), Now: m.w.clock.Now}
}

func (m *machine) begin(t *rapid.T) {
	m.w.term = &fakeTerm{etcd: m.w.etcd}
	m.ts, m.ids = nil, nil
	if m.forID {
		ids, err := NewIDs(m.config())
		if err != nil || ids.Start(t.Context()) != nil {
			t.Fatalf("cannot start: %v", err)
		}
		m.ids = ids
		return
	}
	ts, err := NewTimestamps(m.config())
	if err != nil || ts.Start(t.Context()) != nil {
		t.Fatalf("cannot start: %v", err)
	}
	m.ts = ts
}

func (m *machine) take(t *rapid.T, count uint32) {
	a, alloc := m.allocator()
	bound, _ := a.state()
	if a.next.Load()+uint64(count) > a.limit.Load() {
		return // would wait, and nobody runs
	}
	first, err := alloc(t.Context(), count)
	if err != nil {
		if m.w.term.Valid() {
			t.Fatalf("refused below the limit: %v", err)
		}
		return
	}
	end := first + uint64(count)
	switch {
	case !m.w.term.Valid():
		t.Fatal("handed out without a valid term")
	case m.some && first <= m.last:
		t.Fatalf("handed out %d after %d", first, m.last)
	case end > bound || end > value(m.w.etcd.stored(t)):
		t.Fatalf("handed out %d, the stored bound is %d", end-1, value(m.w.etcd.stored(t)))
	}
	m.last, m.some = end-1, true
}

func (m *machine) keep(t *rapid.T) {
	a, _ := m.allocator()
	target := func() int64 {
		if m.forID {
			return m.ids.target()
		}
		m.ts.follow()
		return m.ts.target()
	}
	if millis := target(); millis != 0 {
		_ = a.extend(t.Context(), millis) // may fail: the term is over or etcd is away
	}
}

func (m *machine) allocator() (*allocator, func(ctx context.Context, count uint32) (uint64, error)) {
	if m.forID {
		return m.ids.a, m.ids.Alloc
	}
	return m.ts.a, m.ts.Alloc
}

func TestModel(t *testing.T) {
	for name, forID := range map[string]bool{"timestamps": false, "ids": true} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := &machine{w: newWorld(), forID: forID}
				m.begin(t)
				t.Repeat(map[string]func(*rapid.T){
					"alloc":  func(t *rapid.T) { m.take(t, rapid.Uint32Range(1, 100).Draw(t, "count")) },
					"block":  func(t *rapid.T) { m.take(t, rapid.Uint32Range(1, MaxTimestamps).Draw(t, "count")) },
					"tick":   func(t *rapid.T) { m.w.clock.millis.Add(rapid.Int64Range(0, 20).Draw(t, "ms")); m.keep(t) },
					"pause":  func(*rapid.T) { m.w.clock.millis.Add(10_000) },
					"keep":   m.keep,
					"set":    func(t *rapid.T) { m.w.clock.millis.Add(rapid.Int64Range(-1e10, 1e10).Draw(t, "ms")) },
					"decade": func(*rapid.T) { m.w.clock.millis.Add(10 * 365 * 24 * 3600 * 1000) },
					"home":   func(*rapid.T) { m.w.clock.millis.Store(noon) },
					"silent": func(*rapid.T) { m.w.term.invalid.Store(!m.w.term.invalid.Load()) },
					"outage": func(*rapid.T) { m.w.term.away.Store(!m.w.term.away.Load()) },
					"switch": func(t *rapid.T) { m.w.term.deposed.Store(true); m.begin(t) },
					"stray": func(t *rapid.T) { // another writer moves the key up
						m.w.etcd.put(encodeBound(m.w.etcd.stored(t) + rapid.Int64Range(0, 5000).Draw(t, "ms")))
						m.keep(t)
					},
				})
			})
		})
	}
}
