package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// etcd's defaults are 128 operations and 1.5 MiB a transaction. A term's commit adds one compare and one read.
const (
	maxOps   = 120
	maxBytes = 1 << 20
	// maxFlights is how many etcd transactions are under way at once: with fewer the round trip is waited for, with more
	// the batches are small, and etcd's work is by the transaction.
	maxFlights = 3
)

// committer lets concurrent transactions that touch different keys share one etcd transaction. While some are under way,
// others gather; whoever comes back takes all that has gathered. Safe for concurrent use.
type committer struct {
	term *sessionutil.Term

	mu      sync.Mutex
	waiting []*request
	flights int
	running sync.WaitGroup
}

// request is one transaction and where its outcome goes.
type request struct {
	txn      sessionutil.Txn
	ops      int
	bytes    int
	revision int64
	err      error
	done     chan struct{}
}

// commit applies txn, which touches no key that another transaction under way touches, and returns its revision. It
// returns when the outcome is known or the term is over. Errors are those of sessionutil.Term.Commit.
func (c *committer) commit(txn sessionutil.Txn) (int64, error) {
	r := &request{txn: txn, ops: max(len(txn.Ops), len(txn.Guards)), bytes: size(txn), done: make(chan struct{})}
	if r.ops > maxOps {
		return 0, fmt.Errorf("catalog: a transaction of %d operations, at most %d fit", r.ops, maxOps)
	}
	c.mu.Lock()
	c.waiting = append(c.waiting, r)
	if c.flights < maxFlights {
		c.flights++
		c.running.Go(c.fly)
	}
	c.mu.Unlock()
	<-r.done
	return r.revision, r.err
}

// wait returns when no transaction is under way.
func (c *committer) wait() { c.running.Wait() }

// fly commits what has gathered until there is nothing more.
func (c *committer) fly() {
	for {
		batch := c.take()
		if batch == nil {
			return
		}
		c.send(batch)
	}
}

// take removes from the queue what fits into one transaction; nil, and one flight less, if the queue is empty.
func (c *committer) take() []*request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.flights--
		return nil
	}
	n, ops, bytes := 0, 0, 0
	for n < len(c.waiting) {
		ops += c.waiting[n].ops
		bytes += c.waiting[n].bytes
		if n > 0 && (ops > maxOps || bytes > maxBytes) {
			break
		}
		n++
	}
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return batch
}

func (c *committer) send(batch []*request) {
	var shared sessionutil.Txn
	for _, r := range batch {
		shared.Guards = append(shared.Guards, r.txn.Guards...)
		shared.Ops = append(shared.Ops, r.txn.Ops...)
	}
	// What is under way when the term ends is waited for: etcd's answer is better than not knowing.
	revision, err := c.term.Commit(context.WithoutCancel(c.term.Context()), shared)
	if err != nil && len(batch) > 1 && !errors.Is(err, sessionutil.ErrDeposed) && !errors.Is(err, sessionutil.ErrUnknown) {
		// One of them is guilty; nothing was written. Alone, each gets its own answer.
		for _, r := range batch {
			c.send([]*request{r})
		}
		return
	}
	for _, r := range batch {
		r.revision, r.err = revision, err
		close(r.done)
	}
}

func size(txn sessionutil.Txn) int {
	n := 0
	for _, g := range txn.Guards {
		n += 2 * len(g.Key)
	}
	for _, op := range txn.Ops {
		n += len(op.KeyBytes()) + len(op.ValueBytes()) + len(op.RangeBytes()) + 16
	}
	return n
}
