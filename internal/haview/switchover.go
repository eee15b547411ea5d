package haview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Handover is a switchover that is done.
type Handover struct {
	Role string        `json:"role" yaml:"role"`
	From int64         `json:"from" yaml:"from"`
	To   int64         `json:"to" yaml:"to"`
	Gap  time.Duration `json:"gapNanoseconds" yaml:"gapNanoseconds"` // nobody served
}

// RefusedError says why a switchover is not begun: nothing has happened.
type RefusedError struct {
	Role    string
	Reasons []string
}

// Error joins the reasons.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("no switchover of %s: %s", e.Role, strings.Join(e.Reasons, "; "))
}

// Switch has the active process of a role hand over to the standby with that ServerID, or, if it is 0, to the fittest one,
// and returns when that serves. The error is a [*RefusedError] if there is none, and else tells what has become of it.
//
// The gap is from the last time that the old one said that it serves to the first time that the new one did; both are
// asked without a pause.
func (r *Reader) Switch(ctx context.Context, role string, to int64) (Handover, error) {
	return r.switchFrom(ctx, role, 0, to)
}

// switchFrom is Switch, refused if holder is not 0 and another process is the active one.
func (r *Reader) switchFrom(ctx context.Context, role string, holder, to int64) (Handover, error) {
	one := *r
	one.Roles = []string{role}
	view, err := one.Read(ctx)
	if err != nil {
		return Handover{}, err
	}
	from, next, err := choose(view.Roles[0], to)
	if err != nil {
		return Handover{}, err
	}
	if holder != 0 && from.ServerID != holder {
		return Handover{}, &RefusedError{Role: role, Reasons: []string{fmt.Sprintf("%d is active, not %d", from.ServerID, holder)}}
	}
	done := Handover{Role: role, From: from.ServerID, To: next.ServerID}

	watch, stop := context.WithCancel(ctx)
	defer stop()
	last := make(chan time.Time, 1)
	go func() { last <- r.lastServed(watch, role, from) }()
	err = sessionutil.RequestSwitch(ctx, r.Client, r.MetaRoot, role, sessionutil.Switch{
		Term: from.Term, From: from.ServerID, To: next.ServerID, At: time.Now(),
	})
	var served time.Time
	if err == nil {
		served, err = r.firstServed(ctx, role, next)
	}
	stop()
	until := <-last
	if err != nil {
		return done, fmt.Errorf("switchover of %s from %d to %d: %w", role, done.From, done.To, err)
	}
	done.Gap = max(served.Sub(until), 0)
	return done, nil
}

// choose finds who hands over, and to whom: who has stood by for longest, unless it is said.
func choose(role Role, to int64) (from, next Member, err error) {
	refused := &RefusedError{Role: role.Name}
	say := func(format string, args ...any) {
		refused.Reasons = append(refused.Reasons, fmt.Sprintf(format, args...))
	}
	var fit []Member
	for _, m := range role.Members {
		problems := m.Problems()
		switch {
		case m.Kind == Active:
			from = m
			if !m.ours {
				say("the active one, %d, is not one of these coordinators", m.ServerID)
			} else if len(problems) > 0 {
				say("the active one, %d, %s", m.ServerID, strings.Join(problems, " and "))
			}
		case to != 0 && m.ServerID != to:
		case !m.ours:
			say("%d is not one of these coordinators", m.ServerID)
		case len(problems) > 0:
			say("%d %s", m.ServerID, strings.Join(problems, " and "))
		default:
			fit = append(fit, m)
		}
	}
	switch {
	case from.ServerID == 0:
		say("nobody is active")
	case to != 0 && from.ServerID == to:
		say("%d is active already", to)
	case len(fit) == 0 && len(refused.Reasons) == 0 && to != 0:
		say("there is no standby %d", to)
	case len(fit) == 0 && len(refused.Reasons) == 0:
		say("there is no standby")
	}
	if len(fit) == 0 || from.ServerID == 0 || len(from.Problems()) > 0 || !from.ours {
		return from, next, refused
	}
	next = slices.MinFunc(fit, func(a, b Member) int { return a.Since.Compare(b.Since) })
	return from, next, nil
}

// lastServed asks a process until it does not serve any more, or ctx ends, and returns when it last did.
func (r *Reader) lastServed(ctx context.Context, role string, m Member) time.Time {
	last := time.Now()
	for r.serves(ctx, role, m) {
		last = time.Now()
	}
	return last
}

// firstServed asks a process until it serves, and returns when that was.
func (r *Reader) firstServed(ctx context.Context, role string, m Member) (time.Time, error) {
	for !r.serves(ctx, role, m) {
		timer := time.NewTimer(time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return time.Time{}, errors.Join(errors.New("the next one does not serve yet, see its log and 'milvus status'"), ctx.Err())
		}
	}
	return time.Now(), nil
}

func (r *Reader) serves(ctx context.Context, role string, m Member) bool {
	ctx, cancel := context.WithTimeout(ctx, r.Patience)
	defer cancel()
	standing, err := r.standing(ctx, m.HTTP, 0)
	return err == nil && slices.ContainsFunc(standing.Roles, func(s opshttp.RoleStanding) bool {
		return s.Role == role && s.ServerID == m.ServerID && s.State == "Healthy"
	})
}
