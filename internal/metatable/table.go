package metatable

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/btree"
)

// Table is a State for ranges whose keys need no index but their own order. V is the decoded value; it is shared by all
// readers and must not be changed. Safe for concurrent use.
type Table[V any] struct {
	decode func(key string, value []byte) (_ V, _ bool, _ error)

	mu   sync.RWMutex
	rows *btree.Map[string, Row[V]]
	sick map[string]Quarantined
}

// Row is a decoded value and the revision of its last change.
type Row[V any] struct {
	Value       V
	ModRevision int64
}

// Quarantined is a value that does not decode. It stays in etcd as it is; the rest of the cluster goes on without it.
type Quarantined struct {
	Key      string
	Revision int64
	Err      error
}

// Error names the key, the revision and what is wrong.
func (q Quarantined) Error() string {
	return fmt.Sprintf("undecodable value of %s at revision %d: %v", q.Key, q.Revision, q.Err)
}

// Unwrap gives the decoder's error.
func (q Quarantined) Unwrap() error { return q.Err }

// NewTable makes an empty table. decode tells by keep whether the key belongs into the table at all.
func NewTable[V any](decode func(key string, value []byte) (_ V, keep bool, _ error)) *Table[V] {
	return &Table[V]{decode: decode, rows: &btree.Map[string, Row[V]]{}, sick: map[string]Quarantined{}}
}

// Load implements State.
func (t *Table[V]) Load(_ int64, all iter.Seq[KV]) func() {
	rows, sick := &btree.Map[string, Row[V]]{}, map[string]Quarantined{}
	for kv := range all {
		t.put(rows, sick, kv)
	}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.rows, t.sick = rows, sick
	}
}

// Apply implements State.
func (t *Table[V]) Apply(_ int64, changes []KV) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, kv := range changes {
		t.put(t.rows, t.sick, kv)
	}
}

func (t *Table[V]) put(rows *btree.Map[string, Row[V]], sick map[string]Quarantined, kv KV) {
	delete(sick, kv.Key)
	if kv.Deleted {
		rows.Delete(kv.Key)
		return
	}
	value, keep, err := t.decode(kv.Key, kv.Value)
	switch {
	case err != nil:
		rows.Delete(kv.Key)
		sick[kv.Key] = Quarantined{Key: kv.Key, Revision: kv.ModRevision, Err: err}
	case keep:
		rows.Set(kv.Key, Row[V]{value, kv.ModRevision})
	default:
		rows.Delete(kv.Key)
	}
}

// Get looks one key up. The error is a [Quarantined] if the value is there but does not decode.
func (t *Table[V]) Get(key string) (Row[V], bool, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if q, bad := t.sick[key]; bad {
		return Row[V]{}, false, q
	}
	row, ok := t.rows.Get(key)
	return row, ok, nil
}

// Range calls yield for all keys that begin with prefix, in order, as they are at one revision.
func (t *Table[V]) Range(prefix string, yield func(key string, row Row[V]) bool) {
	t.mu.Lock() // a copy marks the original, too
	rows := t.rows.Copy()
	t.mu.Unlock()
	rows.Ascend(prefix, func(key string, row Row[V]) bool {
		return strings.HasPrefix(key, prefix) && yield(key, row)
	})
}

// Len is the number of decoded values.
func (t *Table[V]) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rows.Len()
}

// Quarantined lists the values that do not decode, by key.
func (t *Table[V]) Quarantined() []Quarantined {
	t.mu.RLock()
	defer t.mu.RUnlock()
	sick := slices.Collect(maps.Values(t.sick))
	slices.SortFunc(sick, func(a, b Quarantined) int { return strings.Compare(a.Key, b.Key) })
	return sick
}
