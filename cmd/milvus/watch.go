package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// watch is the flag --watch of commands that show something that changes.
type watch time.Duration

func addWatch(c *cobra.Command) *watch {
	w := new(watch)
	c.Flags().DurationVarP((*time.Duration)(w), "watch", "w", 0, "show it again and again, with this pause between")
	c.Flags().Lookup("watch").NoOptDefVal = "2s"
	return w
}

// repeat calls show once, or, with the flag, until ctx ends; what is wrong is shown then, and is no end: etcd may come back.
func (w *watch) repeat(ctx context.Context, cmd *cobra.Command, show func(context.Context) error) error {
	for {
		err := show(ctx)
		if *w == 0 {
			return err
		}
		if err != nil && !errors.Is(err, errUnwell{}) && ctx.Err() == nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "milvus: %v\n", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(*w)):
		}
		fmt.Fprintln(cmd.OutOrStdout())
	}
}
