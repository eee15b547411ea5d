package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
)

func newHistory() *cobra.Command {
	c := &cobra.Command{
		Use: "history ROLE", Short: "Show when a role changed hands, why, and how long that took", Args: oneRole,
		Long: "history lists the last hundred takeovers of a role, oldest first.\n\n" +
			"Reasons: first (nobody had it before), stopped, switched, failed (given back), killed, silent (no renewal),\n" +
			"restarted, expired, key deleted, regained (by the process that had lost it). detect is from the first sign of\n" +
			"trouble until the role was free, claim one round trip, wait until the predecessor could not answer any more,\n" +
			"activate until the first call was let in.",
	}
	out := addOutput(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			ctx, cancel := context.WithTimeout(ctx, etcdPatience)
			defer cancel()
			takeovers, err := coord.NewHistory(client, cfg.Etcd.MetaRoot()).List(ctx, args[0])
			if err != nil && takeovers == nil {
				return err
			}
			if shown := out.print(cmd.OutOrStdout(), takeovers, func(t *tabwriter.Writer, wide bool) { printHistory(t, takeovers, wide) }); shown != nil {
				return shown
			}
			return err
		})
	}
	return c
}

func printHistory(t *tabwriter.Writer, takeovers []coord.Takeover, wide bool) {
	head := []string{"SERVED AT", "TERM", "WHY", "FROM", "TO", "DETECT", "CLAIM", "WAIT", "ACTIVATE"}
	if wide {
		head = append(head, "STEPS OF ACTIVATE")
	}
	row(t, head...)
	for _, one := range takeovers {
		took := map[string]time.Duration{}
		var others []string
		for _, s := range one.Steps {
			took[s.Name] = s.Took
			if s.Name != "detect" && s.Name != "claim" && s.Name != "wait" && s.Name != "activate" {
				others = append(others, s.Name+"="+brief(s.Took))
			}
		}
		from := "-"
		if one.Predecessor != 0 {
			from = fmt.Sprintf("%d (%s)", one.Predecessor, one.PredecessorAddress)
		}
		cells := []string{
			one.At.Local().Format("2006-01-02 15:04:05.000"), strconv.FormatInt(one.Term, 10), one.Reason, from,
			strconv.FormatInt(one.ServerID, 10), brief(took["detect"]), brief(took["claim"]), brief(took["wait"]), brief(took["activate"]),
		}
		if wide {
			cells = append(cells, strings.Join(others, " "))
		}
		row(t, cells...)
	}
}

func brief(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.Round(10 * time.Microsecond).String()
}
