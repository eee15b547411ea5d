package haview

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/milvus-coord/milvus/internal/opshttp"
)

// again is the pause before a handover that was refused is asked for once more.
const again = 200 * time.Millisecond

// Leave hands over every role, of those that the reader looks at, in which the process at an HTTP address is active: it is
// about to be stopped. A role for which no standby is fit is waited for until ctx ends. A process that is active in none has
// nothing to do; neither has one that loses the role meanwhile.
func (r *Reader) Leave(ctx context.Context, address string) ([]Handover, error) {
	standing, err := r.standing(ctx, address, 0)
	if err != nil {
		return nil, err
	}
	var (
		mu     sync.Mutex
		done   []Handover
		failed []error
		roles  sync.WaitGroup
	)
	for _, s := range standing.Roles {
		if !slices.Contains(r.Roles, s.Role) || !serving(s) {
			continue
		}
		roles.Go(func() {
			handover, err := r.leave(ctx, address, s.Role, s.ServerID)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
			} else if handover.To != 0 {
				done = append(done, handover)
			}
		})
	}
	roles.Wait()
	return done, errors.Join(failed...)
}

// leave hands over one role. Nothing is handed over, without an error, if the process is not active in it any more.
func (r *Reader) leave(ctx context.Context, address, role string, id int64) (Handover, error) {
	for {
		done, err := r.switchFrom(ctx, role, id, 0)
		var refused *RefusedError
		if !errors.As(err, &refused) {
			return done, err
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Handover{}, fmt.Errorf("%w; it was waited for", err)
		}
		standing, askErr := r.standing(ctx, address, 0)
		if askErr == nil && !slices.ContainsFunc(standing.Roles, func(s opshttp.RoleStanding) bool {
			return s.Role == role && s.ServerID == id && serving(s)
		}) {
			return Handover{}, nil
		}
	}
}

func serving(s opshttp.RoleStanding) bool { return s.Term != 0 && s.State == "Healthy" }
