// Command bench measures the coordinators against the limits of what they stand on, and prints each figure beside its
// target. It starts real processes on loopback: etcd with its defaults (every write is synced to disk) and RootCoords.
//
//	go run ./test/bench [-run REGEXP] [-quick]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"time"
)

func main() {
	if addr := os.Getenv("BENCH_ECHO"); addr != "" { // this binary again, as the peer that answers without doing anything
		if err := serveEcho(addr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	only := flag.String("run", ".", "measure what matches")
	quick := flag.Bool("quick", false, "fewer rounds and objects")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, regexp.MustCompile(*only), *quick); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type measurement struct {
	name string
	run  func(ctx context.Context, b *bench) error
}

func run(ctx context.Context, only *regexp.Regexp, quick bool) error {
	for _, m := range []measurement{
		{"timestamps", timestamps}, {"describe", describe}, {"create", create}, {"start", start}, {"failover", failover}, {"takeover", takeover}, {"switchover", switchover},
		{"growth", growth}, {"distinct", distinct}, {"footprint", footprint}, {"partitions", partitions}, {"ticks", ticks},
	} {
		if !only.MatchString(m.name) {
			continue
		}
		fmt.Printf("# %s\n", m.name)
		b, err := newBench(quick)
		if err != nil {
			return err
		}
		err = m.run(ctx, b)
		b.close()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func report(what, value, target string) { fmt.Printf("%-62s %-32s (target %s)\n", what, value, target) }

func median[T float64 | time.Duration](v []T) T {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func spread(v []time.Duration) string {
	return fmt.Sprintf("p50 %v, max %v of %d", round(median(v)), round(slices.Max(v)), len(v))
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
