package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/pidfile"
)

type stopOptions struct {
	alias   string
	pid     int
	all     bool
	timeout time.Duration
}

func newStop() *cobra.Command {
	var o stopOptions
	c := &cobra.Command{
		Use: "stop ROLE", Short: "Stop a coordinator of this machine and wait until it has stopped", Args: oneServer,
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if name == mixture {
				name = components.MixCoord // whatever roles it has
			}
			victims, err := choose(name, o)
			if err != nil {
				return err
			}
			for _, p := range victims {
				if err := stop(cmd.Context(), p, o.timeout); err != nil {
					return fmt.Errorf("stop %s: %w", name, err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "stopped %s, process %d\n", name, p.PID)
			}
			return nil
		},
	}
	c.Flags().StringVar(&o.alias, "alias", "", "the process that was started with this alias")
	c.Flags().IntVar(&o.pid, "pid", 0, "the process with this id")
	c.Flags().BoolVar(&o.all, "all", false, "all processes of the role")
	c.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait for each")
	return c
}

// choose finds the processes to stop. Which of several is meant must be said.
func choose(role string, o stopOptions) ([]pidfile.Process, error) {
	running, err := pidfile.Running(runDirs(), role, o.alias)
	if err != nil {
		return nil, err
	}
	if o.pid != 0 {
		for _, p := range running {
			if p.PID == o.pid {
				return []pidfile.Process{p}, nil
			}
		}
		return nil, fmt.Errorf("process %d is not a running %s with a pid file in %s", o.pid, role, strings.Join(runDirs(), " or "))
	}
	switch {
	case len(running) == 0:
		return nil, fmt.Errorf("no %s runs here: no locked pid file in %s", role, strings.Join(runDirs(), " or "))
	case len(running) > 1 && !o.all:
		var list strings.Builder
		for _, p := range running {
			fmt.Fprintf(&list, "\n  process %d, %s", p.PID, p.Path)
		}
		return nil, fmt.Errorf("%d processes of %s run here; choose with --pid or --alias, or stop them with --all:%s", len(running), role, list.String())
	}
	return running, nil
}

func stop(ctx context.Context, p pidfile.Process, timeout time.Duration) error {
	if err := syscall.Kill(p.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for p.Alive() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d has not stopped after %v", p.PID, timeout)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
