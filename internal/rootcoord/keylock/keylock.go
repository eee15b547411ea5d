package keylock

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Lock is a wish for one name.
type Lock struct {
	Name      string
	Exclusive bool
}

// Read wishes to share name with other readers.
func Read(name string) Lock { return Lock{Name: name} }

// Write wishes to have name alone.
func Write(name string) Lock { return Lock{Name: name, Exclusive: true} }

// Table is a set of named locks. It is safe for concurrent use.
type Table struct {
	mu    sync.Mutex
	names map[string]*state // names that are held or waited for
}

// state is one name: who holds it and who waits, first come first.
type state struct {
	readers int
	writer  bool
	waiting []*waiter
}

type waiter struct {
	exclusive bool
	granted   chan struct{} // closed by whoever grants, under Table.mu
}

// New makes an empty table.
func New() *Table { return &Table{names: make(map[string]*state)} }

// Acquire takes all the locks or none. A name asked for twice is taken once, exclusively if either wish was. release
// gives them back; it must be called exactly once. The only error is the cause of ctx's end.
func (t *Table) Acquire(ctx context.Context, locks ...Lock) (release func(), err error) {
	wanted := inOrder(locks)
	for i, l := range wanted {
		if err := t.acquire(ctx, l); err != nil {
			t.release(wanted[:i])
			return nil, err
		}
	}
	return func() { t.release(wanted) }, nil
}

// inOrder sorts the wishes by name and joins those for the same name.
func inOrder(locks []Lock) []Lock {
	sorted := slices.Clone(locks)
	slices.SortFunc(sorted, func(a, b Lock) int { return strings.Compare(a.Name, b.Name) })
	out := sorted[:0]
	for _, l := range sorted {
		if n := len(out); n > 0 && out[n-1].Name == l.Name {
			out[n-1].Exclusive = out[n-1].Exclusive || l.Exclusive
			continue
		}
		out = append(out, l)
	}
	return out
}

func (t *Table) acquire(ctx context.Context, l Lock) error {
	t.mu.Lock()
	s := t.names[l.Name]
	if s == nil {
		s = &state{}
		t.names[l.Name] = s
	}
	if len(s.waiting) == 0 && s.admits(l.Exclusive) {
		s.enter(l.Exclusive)
		t.mu.Unlock()
		return nil
	}
	w := &waiter{exclusive: l.Exclusive, granted: make(chan struct{})}
	s.waiting = append(s.waiting, w)
	t.mu.Unlock()

	select {
	case <-w.granted:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-w.granted: // at the same moment: give it back
		s.leave(l.Exclusive)
	default:
		s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
	}
	t.wake(l.Name, s)
	return context.Cause(ctx)
}

func (t *Table) release(locks []Lock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range locks {
		s := t.names[l.Name]
		s.leave(l.Exclusive)
		t.wake(l.Name, s)
	}
}

// wake grants the name to as many of the first waiters as it admits, and forgets a name that nobody wants.
func (t *Table) wake(name string, s *state) {
	for len(s.waiting) > 0 && s.admits(s.waiting[0].exclusive) {
		w := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.enter(w.exclusive)
		close(w.granted)
	}
	if len(s.waiting) == 0 && s.readers == 0 && !s.writer {
		delete(t.names, name)
	}
}

func (s *state) admits(exclusive bool) bool {
	return !s.writer && (!exclusive || s.readers == 0)
}

func (s *state) enter(exclusive bool) {
	if exclusive {
		s.writer = true
		return
	}
	s.readers++
}

func (s *state) leave(exclusive bool) {
	if exclusive {
		s.writer = false
		return
	}
	s.readers--
}
