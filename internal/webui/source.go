package webui

import (
	"context"
	"sync"
	"time"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// parts tells which parts of a picture have been heard of since looking began; a failure is heard of as well.
type parts struct{ sessions, processes, history, health bool }

var all = parts{true, true, true, true}

// picture is all that the page shows. What it points to is never changed.
type picture struct {
	now   time.Time
	heard parts

	view      haview.View // its At is zero if etcd has never answered
	lost      time.Time   // since when etcd does not answer; zero: it does
	lostError error
	reads     []time.Duration // how long the last reads of the sessions took, oldest first
	takeovers []coord.Takeover
	histories error // what could not be read of them
	health    etcdutil.Health
}

// readsKept is how many reads of the sessions the page shows.
const readsKept = 60

// source asks etcd and the processes.
type source struct {
	reader  *haview.Reader
	members *etcdutil.Members
	every   time.Duration // a look at what etcd does not tell of by itself
}

// look reports changes of the picture, which are made before report returns, until ctx ends. It leaves no connection to a
// process open. Each kind of question has a goroutine of its own, so that a slow answer delays no other.
func (s source) look(ctx context.Context, report func(func(*picture))) {
	sessions, histories := make(chan struct{}, 1), make(chan struct{}, 1)
	views := make(chan haview.View, 1)
	var asking sync.WaitGroup
	asking.Go(func() {
		sessionutil.WatchChanges(ctx, s.reader.Client, s.reader.MetaRoot, func() {
			nudge(sessions)
			nudge(histories)
		})
	})
	asking.Go(func() {
		every(ctx, s.every, sessions, func() { s.readSessions(ctx, report, views) })
	})
	asking.Go(func() {
		for {
			select {
			case v := <-views:
				s.askProcesses(ctx, v, report)
			case <-ctx.Done():
				return
			}
		}
	})
	asking.Go(func() {
		every(ctx, time.Minute, histories, func() { s.readHistories(ctx, report) })
	})
	asking.Go(func() {
		every(ctx, healthEvery, nil, func() {
			health := s.members.Health(ctx, askPatience)
			report(func(p *picture) { p.health, p.heard.health = health, true })
		})
	})
	asking.Wait()
	s.reader.HTTP.CloseIdleConnections()
}

// readSessions shows at once who is active; the processes are asked after that. While etcd does not answer they are asked
// by the sessions that are known.
func (s source) readSessions(ctx context.Context, report func(func(*picture)), views chan haview.View) {
	bounded, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	began := time.Now()
	view, err := s.reader.Sessions(bounded)
	took := time.Since(began)
	if ctx.Err() != nil {
		return
	}
	report(func(p *picture) {
		p.heard.sessions = true
		if err == nil {
			p.view, p.lost, p.lostError = view.Recall(p.view), time.Time{}, nil
			p.reads = append(p.reads[max(0, len(p.reads)-readsKept+1):len(p.reads):len(p.reads)], took)
		} else {
			p.lostError = err
			if p.lost.IsZero() {
				p.lost = began
			}
		}
		view = p.view
	})
	select { // the latest one counts
	case <-views:
	default:
	}
	views <- view
}

func (s source) askProcesses(ctx context.Context, v haview.View, report func(func(*picture))) {
	answers := s.reader.Ask(ctx, v)
	if ctx.Err() != nil {
		return
	}
	report(func(p *picture) {
		p.heard.processes = true
		if p.view.Revision > answers.Revision {
			p.view = p.view.Recall(answers)
		} else {
			p.view = answers
		}
	})
}

func (s source) readHistories(ctx context.Context, report func(func(*picture))) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	takeovers, err := newest(ctx, coord.NewHistory(s.reader.Client, s.reader.MetaRoot), s.reader.Roles)
	report(func(p *picture) {
		p.heard.history, p.histories = true, err
		if len(takeovers) > 0 || err == nil {
			p.takeovers = takeovers
		}
	})
}

// every does work at once, whenever it is nudged, and after each pause in which it was not, until ctx ends.
func every(ctx context.Context, pause time.Duration, nudged <-chan struct{}, work func()) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for ctx.Err() == nil {
		work()
		timer.Reset(pause)
		select {
		case <-nudged:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// nudge leaves word for somebody who may be busy.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
