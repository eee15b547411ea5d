package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/milvus-io/milvus/pkg/v2/proto/rootcoordpb"
)

// fill makes the number of collections at least n.
func fill(ctx context.Context, c rootcoordpb.RootCoordClient, made *atomic.Int64, n int64) error {
	return fillBy(ctx, made, n, func(ctx context.Context, name string) error { return createCollection(ctx, c, name) })
}

func fillBy(ctx context.Context, made *atomic.Int64, n int64, create func(ctx context.Context, name string) error) error {
	for made.Load() < n {
		if _, err := rate(ctx, time.Second, func(ctx context.Context) error {
			if made.Load() >= n {
				time.Sleep(10 * time.Millisecond)
				return nil
			}
			return create(ctx, fmt.Sprintf("c%d", made.Add(1)))
		}); err != nil {
			return err
		}
	}
	return nil
}

// pair starts a RootCoord and its standby.
func (b *bench) pair(ctx context.Context) (active, standby *proc, err error) {
	if active, err = b.coordinator(); err != nil {
		return nil, nil, err
	}
	if err = active.await(ctx, "takeover finished"); err != nil {
		return nil, nil, err
	}
	if standby, err = b.standby(ctx); err != nil {
		return nil, nil, err
	}
	return active, standby, nil
}

func (b *bench) standby(ctx context.Context) (*proc, error) {
	p, err := b.coordinator()
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, "is in STANDBY"); err != nil {
		return nil, err
	}
	if err := p.await(ctx, "metadata loaded"); err != nil {
		return nil, err
	}
	time.Sleep(1200 * time.Millisecond) // it gets to know the active one
	return p, nil
}

// failover measures from the signal to the first CreateCollection that the other one acknowledges.
func failover(ctx context.Context, b *bench) error {
	active, standby, err := b.pair(ctx)
	if err != nil {
		return err
	}
	client, stop, err := b.follow(ctx)
	if err != nil {
		return err
	}
	defer stop()
	var made atomic.Int64
	if err := fill(ctx, client, &made, 10000); err != nil {
		return err
	}
	idle(standby)
	rounds := 20
	if b.quick {
		rounds = 5
	}
	for _, how := range []struct {
		name   string
		signal syscall.Signal
		rounds int
		target string
	}{
		{"kill -9", syscall.SIGKILL, rounds, "p50 250 ms, max 1 s"},
		{"SIGTERM", syscall.SIGTERM, rounds, "p50 40 ms, no failed call"},
		{"SIGSTOP", syscall.SIGSTOP, 3, "8 s"},
	} {
		var took []time.Duration
		failed := 0
		for range how.rounds {
			began := time.Now()
			if err := active.cmd.Process.Signal(how.signal); err != nil {
				return err
			}
			if how.signal != syscall.SIGTERM {
				time.Sleep(time.Millisecond) // the signal is delivered: what is answered from now on is the other one's
			} else if err := active.await(ctx, "giving the ACTIVE role back"); err != nil {
				return err
			}
			if err := createCollection(ctx, client, fmt.Sprintf("c%d", made.Add(1))); err != nil {
				failed++
			}
			took = append(took, time.Since(began))
			if how.signal == syscall.SIGSTOP {
				active.end(syscall.SIGKILL)
			} else {
				_ = active.cmd.Wait()
			}
			active = standby
			if standby, err = b.standby(ctx); err != nil {
				return err
			}
		}
		report(how.name+" of the active, 10k collections, to the first create", fmt.Sprintf("%s, %d failed", spread(took), failed), how.target)
	}
	return nil
}

// idle is what a standby costs.
func idle(p *proc) {
	before := p.cpu()
	time.Sleep(10 * time.Second)
	used := float64(p.cpu()-before) / float64(10*time.Second) * 100
	report("idle standby, 10k collections", fmt.Sprintf("%.1f %% of a core, %.0f MB", used, p.rss()), "1 %, 60 MB")
}

// start measures from the start of a process to Healthy.
func start(ctx context.Context, b *bench) error {
	client, first, err := b.one(ctx)
	if err != nil {
		return err
	}
	var made atomic.Int64
	if err := fill(ctx, client, &made, 10000); err != nil {
		return err
	}
	first.end(syscall.SIGTERM)
	var took []time.Duration
	var memory []float64
	for range 5 {
		began := time.Now()
		p, err := b.coordinator()
		if err != nil {
			return err
		}
		if err := p.await(ctx, "takeover finished"); err != nil {
			return err
		}
		took = append(took, time.Since(began))
		memory = append(memory, p.rss())
		p.end(syscall.SIGTERM)
	}
	report("start to Healthy on 10k collections; RSS then", fmt.Sprintf("%s; %.0f MB", spread(took), median(memory)), "0.4 s, 80 MB")
	return nil
}

var activation = regexp.MustCompile(`takeover finished.*\[activate=([^\]]+)\]`)

// takeover measures the work between the claim and Healthy at growing sizes.
func takeover(ctx context.Context, b *bench) error {
	client, stop, err := b.follow(ctx)
	if err != nil {
		return err
	}
	defer stop()
	active, standby, err := b.pair(ctx)
	if err != nil {
		return err
	}
	sizes := []int64{0, 10000, 100000}
	if b.quick {
		sizes = sizes[:2]
	}
	var made atomic.Int64
	for _, n := range sizes {
		if err := fill(ctx, client, &made, n); err != nil {
			return err
		}
		var took []time.Duration
		for range 5 {
			active.end(syscall.SIGTERM)
			if err := standby.await(ctx, "takeover finished"); err != nil {
				return err
			}
			if m := activation.FindStringSubmatch(standby.out.String()); m != nil {
				d, err := time.ParseDuration(m[1])
				if err != nil {
					return err
				}
				took = append(took, d)
			}
			active = standby
			if standby, err = b.standby(ctx); err != nil {
				return err
			}
		}
		report("takeover work, claimed to Healthy, at "+strconv.FormatInt(n, 10)+" collections",
			fmt.Sprintf("%s; active RSS %.0f MB", spread(took), active.rss()), "50 ms, flat")
	}
	return nil
}
