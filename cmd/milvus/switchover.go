package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/haview"
)

type switchoverOptions struct {
	to       int64
	patience time.Duration
	fromSelf bool
	address  string
	linger   time.Duration
}

func newSwitchover() *cobra.Command {
	var o switchoverOptions
	c := &cobra.Command{
		Use: "switchover ROLE", Short: "Hand a role over to a standby",
		Long: "switchover has the active coordinator answer the calls under way and hand its role over to the standby with the\n" +
			"id --to (see 'milvus status'), or to the one that has stood by for longest; then it stands by itself. Calls that\n" +
			"come in between are answered \"not ready, try again\", which Milvus' clients do.\n\n" +
			"It is refused, with the reason, when no standby is fit to serve at once. Nothing has happened then.\n\n" +
			"With --from-self it is what a process does before it is stopped: whatever the process at --http is active in is\n" +
			"handed over, ROLE or all; a standby that is not fit yet is waited for, until --timeout. If it is active in nothing,\n" +
			"there is nothing to do.",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.fromSelf && o.to != 0:
				return usageError{errors.New("--from-self chooses the standby: leave --to out")}
			case o.fromSelf && len(args) == 0:
				return nil
			}
			return oneRole(cmd, args)
		},
	}
	out := addOutput(c)
	c.Flags().Int64Var(&o.to, "to", 0, "ServerID of the standby that is to take over")
	c.Flags().DurationVar(&o.patience, "timeout", 30*time.Second, "how long to wait until it serves")
	c.Flags().BoolVar(&o.fromSelf, "from-self", false, "hand over what the process at --http is active in")
	c.Flags().StringVar(&o.address, "http", "127.0.0.1:9091", "with --from-self: address of the process' HTTP port")
	c.Flags().DurationVar(&o.linger, "linger", 0, "with --from-self: how long to wait afterwards, for callers that have not heard of it yet")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			done, err := o.switchOver(ctx, args, &haview.Reader{
				Client: client, MetaRoot: cfg.Etcd.MetaRoot(), Roles: components.Roles(), HTTP: http.DefaultClient, Patience: processPatience,
			})
			if err != nil {
				return err
			}
			for _, d := range done {
				if err := out.print(cmd.OutOrStdout(), d, func(t *tabwriter.Writer, _ bool) { printHandover(t, d) }); err != nil {
					return err
				}
			}
			if o.fromSelf && len(done) > 0 {
				waitFor(ctx, o.linger)
			}
			return nil
		})
	}
	return c
}

func (o switchoverOptions) switchOver(ctx context.Context, args []string, reader *haview.Reader) ([]haview.Handover, error) {
	ctx, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	if len(args) > 0 {
		reader.Roles = args
	}
	if o.fromSelf {
		return reader.Leave(ctx, o.address)
	}
	done, err := reader.Switch(ctx, args[0], o.to)
	return []haview.Handover{done}, err
}

func printHandover(t *tabwriter.Writer, d haview.Handover) {
	fmt.Fprintf(t, "%s: %d handed over to %d, nobody served for %v\n", d.Role, d.From, d.To, d.Gap.Round(10*time.Microsecond))
}

// waitFor returns after d, or when ctx ends.
func waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
