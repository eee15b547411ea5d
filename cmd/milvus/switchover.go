package main

import (
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/haview"
)

func newSwitchover() *cobra.Command {
	var to int64
	var patience time.Duration
	c := &cobra.Command{
		Use: "switchover ROLE", Short: "Hand a role over to a standby", Args: oneRole,
		Long: "switchover has the active coordinator answer the calls under way and hand its role over to the standby with the\n" +
			"id --to (see 'milvus status'), or to the one that has stood by for longest; then it stands by itself. Calls that\n" +
			"come in between are answered \"not ready, try again\", which Milvus' clients do.\n\n" +
			"It is refused, with the reason, when no standby is fit to serve at once. Nothing has happened then.",
	}
	out := addOutput(c)
	c.Flags().Int64Var(&to, "to", 0, "ServerID of the standby that is to take over")
	c.Flags().DurationVar(&patience, "timeout", 30*time.Second, "how long to wait until it serves")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			reader := &haview.Reader{Client: client, MetaRoot: cfg.Etcd.MetaRoot(), HTTP: http.DefaultClient, Patience: processPatience}
			done, err := reader.Switch(ctx, args[0], to)
			if err != nil {
				return err
			}
			return out.print(cmd.OutOrStdout(), done, func(t *tabwriter.Writer, _ bool) {
				fmt.Fprintf(t, "%s: %d handed over to %d, nobody served for %v\n", done.Role, done.From, done.To, done.Gap.Round(10*time.Microsecond))
			})
		})
	}
	return c
}
