package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

func newHistory() *cobra.Command {
	c := &cobra.Command{
		Use: "history ROLE", Short: "Show when a role changed hands, why, and how long that took", Args: oneRole,
		Long: "history lists the last hundred takeovers of a role, oldest first.\n\n" +
			"Reasons: first (nobody had it before), stopped, switched, failed (given back), killed, silent (no renewal),\n" +
			"restarted, expired, key deleted, regained (by the process that had lost it).\n\n" +
			"DETECT is from the first sign of trouble until the role was free, CLAIM one round trip, WAIT until the predecessor\n" +
			"could not answer any more, ACTIVATE until the first call was let in; LOAD is the part of it in which the tables\n" +
			"reached the claim. ANSWER is all together: from the first sign of trouble until there was an answer again.",
	}
	out, watch := addOutput(c), addWatch(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			return watch.repeat(ctx, cmd, func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, etcdPatience)
				defer cancel()
				root := cfg.Etcd.MetaRoot()
				takeovers, err := coord.NewHistory(client, root).List(ctx, args[0])
				if err != nil && takeovers == nil {
					return err
				}
				_, seen, observed := sessionutil.Observe(ctx, client, root, args)
				if observed != nil {
					return observed
				}
				shown := out.print(cmd.OutOrStdout(), takeovers, func(t *tabwriter.Writer, wide bool) {
					printHistory(t, takeovers, wide)
					if paused := seen[0].Paused; paused != nil {
						fmt.Fprintf(t, "! %s: %s\n", args[0], (*haview.Pause)(paused))
					}
				})
				if shown != nil {
					return shown
				}
				return err
			})
		})
	}
	return c
}

// partsOf are the steps that have columns of their own; the others are those of "activate".
var partsOf = []string{"detect", "claim", "wait", "tables", "activate"}

func printHistory(t *tabwriter.Writer, takeovers []coord.Takeover, wide bool) {
	head := []string{"SERVED AT", "TERM", "WHY", "FROM", "TO", "DETECT", "CLAIM", "WAIT", "LOAD", "ACTIVATE", "ANSWER"}
	if wide {
		head = append(head, "OTHER STEPS OF ACTIVATE")
	}
	row(t, head...)
	for _, one := range takeovers {
		cells := []string{
			one.At.Local().Format("2006-01-02 15:04:05.000"), strconv.FormatInt(one.Term, 10), one.Reason,
			whom(one.Predecessor, one.PredecessorAddress), whom(one.ServerID, one.Address),
		}
		for _, part := range partsOf {
			cells = append(cells, brief(one.Took(part)))
		}
		cells = append(cells, brief(one.Answer()))
		if wide {
			var others []string
			for _, s := range one.Steps {
				if !slices.Contains(partsOf, s.Name) {
					others = append(others, s.Name+"="+brief(s.Took))
				}
			}
			cells = append(cells, strings.Join(others, " "))
		}
		row(t, cells...)
	}
}

func whom(id int64, address string) string {
	switch {
	case id == 0:
		return "-"
	case address == "":
		return strconv.FormatInt(id, 10)
	}
	return fmt.Sprintf("%d (%s)", id, address)
}

func brief(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return d.Round(10 * time.Microsecond).String()
}
