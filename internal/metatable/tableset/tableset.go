package tableset

import (
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/metatable"
)

// Table is a metatable.Table of any type.
type Table interface {
	Apply(revision int64, changes []metatable.KV)
	Len() int
	Quarantined() []metatable.Quarantined
}

// Group is a struct of tables that belong together.
type Group interface {
	// Kinds gives for each table what its keys begin with, up to and with a "/". No kind begins with another one.
	Kinds() map[string]Table
}

// Set is the state of one follower: a group of tables. Safe for concurrent use.
type Set[G Group] struct {
	fresh func() G

	mu    sync.RWMutex // held over all changes of one revision
	group G
	kinds map[string]Table
}

var _ metatable.State = (*Set[Group])(nil)

// New makes a set of empty tables. fresh makes an empty group, for each snapshot anew.
func New[G Group](fresh func() G) *Set[G] {
	s := &Set[G]{fresh: fresh, group: fresh()}
	s.kinds = s.group.Kinds()
	return s
}

// Load implements metatable.State.
func (s *Set[G]) Load(revision int64, all iter.Seq[metatable.KV]) func() {
	group := s.fresh()
	kinds := group.Kinds()
	one := make([]metatable.KV, 1)
	for one[0] = range all {
		if _, t := route(kinds, one[0].Key); t != nil {
			t.Apply(revision, one)
		}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.group, s.kinds = group, kinds
	}
}

// Apply implements metatable.State.
func (s *Set[G]) Apply(revision int64, changes []metatable.KV) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range changes {
		if _, t := route(s.kinds, changes[i].Key); t != nil {
			t.Apply(revision, changes[i:i+1])
		}
	}
}

// route finds the table of a key: the one whose kind the key's path begins with.
func route(kinds map[string]Table, key string) (kind string, t Table) {
	for end := 0; ; {
		slash := strings.IndexByte(key[end:], '/')
		if slash < 0 {
			return "", nil
		}
		end += slash + 1
		if t, ok := kinds[key[:end]]; ok {
			return key[:end], t
		}
	}
}

// Check decodes a single record as the set would, and does not keep it. It tells of which kind it is, empty if of none,
// and whether it is there for readers: a tombstone is not. It is for a set that holds nothing and has no readers.
func (s *Set[G]) Check(kv metatable.KV) (kind string, present bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, t := route(s.kinds, kv.Key)
	if t == nil {
		return "", false, nil
	}
	t.Apply(kv.ModRevision, []metatable.KV{kv})
	present = t.Len() > 0
	if sick := t.Quarantined(); len(sick) > 0 {
		err = sick[0].Err
	}
	t.Apply(kv.ModRevision, []metatable.KV{{Key: kv.Key, Deleted: true}})
	return kind, present, err
}

// Read calls f with the tables as they are at one revision. f must not keep the group, and must not wait.
func (s *Set[G]) Read(f func(G)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	f(s.group)
}

// Len is the number of decoded values in all tables.
func (s *Set[G]) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := 0
	for _, t := range s.kinds {
		n += t.Len()
	}
	return n
}

// Quarantined lists what does not decode, by key.
func (s *Set[G]) Quarantined() []metatable.Quarantined {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var sick []metatable.Quarantined
	for _, kind := range slices.Sorted(maps.Keys(s.kinds)) {
		sick = append(sick, s.kinds[kind].Quarantined()...)
	}
	return sick
}

// Report logs the first few of the values that do not decode, and how many more there are.
func (s *Set[G]) Report(logger *zap.Logger) {
	const most = 10
	for i, q := range s.Quarantined() {
		if i == most {
			logger.Warn("more records of the metadata do not decode", zap.Int("more", len(s.Quarantined())-most))
			return
		}
		logger.Warn("a record of the metadata does not decode, it is left as it is and not used", zap.Error(q))
	}
}
