package metatable

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// waiters are the callers that wait for a revision, and the revision reached. Reaching one wakes those that waited for
// it and nobody else: with a thousand callers who each wait for a write of their own, waking all for every revision would
// be most of the work.
type waiters struct {
	mu      sync.Mutex
	reached int64
	queue   queue
}

type waiter struct {
	revision int64
	done     chan struct{} // closed when revision is reached
	place    int           // in the queue; -1 when it has left
}

// reach wakes who waits for revision or less.
func (w *waiters) reach(revision int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reached = max(w.reached, revision)
	for len(w.queue) > 0 && w.queue[0].revision <= w.reached {
		close(w.pop().done)
	}
}

func (w *waiters) pop() *waiter {
	first, _ := heap.Pop(&w.queue).(*waiter)
	return first
}

// current is the revision reached.
func (w *waiters) current() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reached
}

// join gets in line for a revision; nil if it has been reached already.
func (w *waiters) join(revision int64) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reached >= revision {
		return nil
	}
	one := &waiter{revision: revision, done: make(chan struct{})}
	heap.Push(&w.queue, one)
	return one
}

// leave gives up the place in the line.
func (w *waiters) leave(one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one.place >= 0 {
		heap.Remove(&w.queue, one.place)
	}
}

// wait returns when revision is reached. After patience, and from then on less and less often, it calls impatient.
func (w *waiters) wait(ctx context.Context, revision int64, patience time.Duration, impatient func()) error {
	one := w.join(revision)
	if one == nil {
		return nil
	}
	defer w.leave(one)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-one.done:
			return nil
		case <-timer.C:
			impatient()
			patience = min(max(2*patience, time.Millisecond), 100*time.Millisecond)
			timer.Reset(patience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// queue is a heap of waiters by revision.
type queue []*waiter

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].revision < q[j].revision }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *queue) Push(x any) {
	one, _ := x.(*waiter)
	one.place = len(*q)
	*q = append(*q, one)
}

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	one := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	one.place = -1
	return one
}
