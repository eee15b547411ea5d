package backup

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/tso"
)

// Check tells of what kind a record is, empty if it knows none, whether readers see it (a tombstone they do not), and what
// is wrong with it.
type Check func(metatable.KV) (kind string, present bool, err error)

// Summary is what a whole backup holds.
type Summary struct {
	Header     `yaml:",inline"`
	Keys       int64        `json:"keys" yaml:"keys"`
	LeftOut    int64        `json:"leftOut" yaml:"leftOut"`         // keys on a lease, when it was made
	Kinds      []Kind       `json:"kinds" yaml:"kinds"`             // the most frequent first
	Tombstones int64        `json:"tombstones" yaml:"tombstones"`   // deleted by Milvus, and not counted with the kinds
	Other      int64        `json:"otherKeys" yaml:"otherKeys"`     // of no kind that this program knows
	Undecoded  int64        `json:"undecodable" yaml:"undecodable"` // records that are as they were, and wrong
	Examples   []Unreadable `json:"examples,omitempty" yaml:"examples,omitempty"`
	// Bounds below which timestamps and ids were given out, as the time that they are made of; zero if there is none.
	Timestamps time.Time `json:"timestampsBelow,omitzero" yaml:"timestampsBelow"`
	IDs        time.Time `json:"idsBelow,omitzero" yaml:"idsBelow"`
	ServerID   int64     `json:"nextServerID,omitempty" yaml:"nextServerID"`
}

// Kind is one kind of records, and how many there are.
type Kind struct {
	Name  string `json:"name" yaml:"name"`
	Count int64  `json:"count" yaml:"count"`
}

// Unreadable is a record that does not decode.
type Unreadable struct {
	Key     string `json:"key" yaml:"key"`
	Problem string `json:"problem" yaml:"problem"`
}

// maxExamples bounds the records that a summary names.
const maxExamples = 100

// Verify reads a whole backup. checks makes what decodes its records; nil: they are not looked at. The error is a
// *DamagedError if the file is not whole. Records that do not decode are no damage: they were so in etcd.
func Verify(r io.Reader, checks func(Layout) ([]Check, error)) (Summary, error) {
	in, err := newReader(r)
	if err != nil {
		return Summary{}, err
	}
	defer in.close()
	v := verifier{sum: Summary{Header: in.header, Kinds: []Kind{}}, kinds: map[string]int64{}}
	if checks != nil {
		if v.checks, err = checks(in.header.Layout); err != nil {
			return Summary{}, err
		}
	}
	for {
		key, value, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return v.sum, err
		}
		v.take(key, value)
	}
	v.sum.Keys, v.sum.LeftOut = in.trailer.Keys, in.trailer.LeftOut
	for name, count := range v.kinds {
		v.sum.Kinds = append(v.sum.Kinds, Kind{name, count})
	}
	slices.SortFunc(v.sum.Kinds, func(a, b Kind) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
	return v.sum, nil
}

type verifier struct {
	checks []Check
	sum    Summary
	kinds  map[string]int64
}

func (v *verifier) take(key string, value []byte) {
	if v.sum.counter(key) {
		if err := v.bound(key, value); err != nil {
			v.undecodable(key, err)
		}
		return
	}
	for _, check := range v.checks {
		kind, present, err := check(metatable.KV{Key: key, Value: value, CreateRevision: 1, ModRevision: 1})
		switch {
		case kind == "":
			continue
		case err != nil:
			v.undecodable(key, err)
		case present:
			v.kinds[kind]++
		default:
			v.sum.Tombstones++
		}
		return
	}
	v.sum.Other++
}

func (v *verifier) undecodable(key string, err error) {
	v.sum.Undecoded++
	if len(v.sum.Examples) < maxExamples {
		v.sum.Examples = append(v.sum.Examples, Unreadable{key, err.Error()})
	}
}

func (v *verifier) bound(key string, value []byte) error {
	if key == v.sum.counterKey() {
		id, err := parseCounter(value)
		v.sum.ServerID = id
		return err
	}
	millis, err := tso.ParseBound(value)
	if err != nil {
		return err
	}
	into := &v.sum.IDs
	if key == v.sum.timestampKey() {
		into = &v.sum.Timestamps
	}
	*into = time.UnixMilli(millis).UTC()
	return nil
}

func parseCounter(value []byte) (int64, error) {
	id, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || id < 1 {
		return 0, fmt.Errorf("%q is not a positive number", value)
	}
	return id, nil
}
