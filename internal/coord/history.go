package coord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Takeover is how one term began.
type Takeover struct {
	Role               string    `json:"Role"`
	Term               int64     `json:"Term"`
	ServerID           int64     `json:"ServerID"`
	Address            string    `json:"Address,omitempty"`
	Reason             string    `json:"Reason"`
	Predecessor        int64     `json:"Predecessor,omitempty"`
	PredecessorAddress string    `json:"PredecessorAddress,omitempty"`
	At                 time.Time `json:"At"`    // when the first call was let in
	Steps              []Step    `json:"Steps"` // in order; "detect" and "claim" first
}

// MarshalJSON gives the duration in milliseconds, as people read it.
func (s Step) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"Name":%q,"Millis":%.3f}`, s.Name, float64(s.Took)/float64(time.Millisecond)), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Step) UnmarshalJSON(b []byte) error {
	var v struct {
		Name   string
		Millis float64
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("step of a takeover: %w", err)
	}
	s.Name, s.Took = v.Name, time.Duration(v.Millis*float64(time.Millisecond))
	return nil
}

func newTakeover(role string, term *sessionutil.Term, o sessionutil.Origin, steps []Step, activation time.Duration) Takeover {
	all := []Step{{"detect", o.Detect}, {"claim", o.Claim}}
	if o.Wait > time.Millisecond {
		all = append(all, Step{"wait", o.Wait})
	}
	all = append(all, steps...)
	all = append(all, Step{"activate", activation})
	return Takeover{
		Role: role, Term: term.Number(), ServerID: term.ServerID(), Address: term.Address(), Reason: o.Reason,
		Predecessor: o.Predecessor, PredecessorAddress: o.Address, At: time.Now(), Steps: all,
	}
}

// Took is how long a step was; 0 if there was none of that name.
func (t Takeover) Took(step string) time.Duration {
	for _, s := range t.Steps {
		if s.Name == step {
			return s.Took
		}
	}
	return 0
}

// Answer is from the first sign of trouble until the first call was let in.
func (t Takeover) Answer() time.Duration {
	return t.Took("detect") + t.Took("claim") + t.Took("wait") + t.Took("activate")
}

// historyLength is how many takeovers of a role are kept.
const historyLength = 100

// History keeps takeovers in etcd under <metaRoot>/ha/<role>/history/.
type History struct {
	client   *clientv3.Client
	metaRoot string
}

// NewHistory makes a History over client.
func NewHistory(client *clientv3.Client, metaRoot string) *History {
	return &History{client: client, metaRoot: metaRoot}
}

// List gives the takeovers of a role, oldest first. Records that do not decode are named in the error; the others are given
// all the same.
func (h *History) List(ctx context.Context, role string) ([]Takeover, error) {
	first := sessionutil.HistoryKey(h.metaRoot, role, 0)
	resp, err := h.client.Get(ctx, first, clientv3.WithRange(sessionutil.HistoryKey(h.metaRoot, role, math.MaxInt64)+"\x00"))
	if err != nil {
		return nil, fmt.Errorf("list the takeovers of %s: %w", role, err)
	}
	all := make([]Takeover, 0, len(resp.Kvs))
	var wrong []error
	for _, kv := range resp.Kvs {
		var t Takeover
		if err := json.Unmarshal(kv.Value, &t); err != nil {
			wrong = append(wrong, fmt.Errorf("%s at revision %d: %w", kv.Key, kv.ModRevision, err))
			continue
		}
		all = append(all, t)
	}
	return all, errors.Join(wrong...)
}

// Record implements Historian: a fenced write that also removes the oldest entries beyond a hundred.
func (h *History) Record(ctx context.Context, term *sessionutil.Term, t Takeover) error {
	value, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode a takeover: %w", err)
	}
	key := sessionutil.HistoryKey(h.metaRoot, t.Role, t.Term)
	first := sessionutil.HistoryKey(h.metaRoot, t.Role, 0)
	old, err := h.client.Get(ctx, first, clientv3.WithRange(key), clientv3.WithKeysOnly())
	if err != nil {
		return fmt.Errorf("list the takeovers of %s: %w", t.Role, err)
	}
	ops := []clientv3.Op{clientv3.OpPut(key, string(value))}
	if surplus := len(old.Kvs) - historyLength + 1; surplus > 0 {
		ops = append(ops, clientv3.OpDelete(first, clientv3.WithRange(string(old.Kvs[surplus-1].Key)+"\x00")))
	}
	_, err = term.Commit(ctx, sessionutil.Txn{Guards: []sessionutil.Guard{{Key: key}}, Ops: ops})
	return err
}
