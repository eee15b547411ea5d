package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
)

// errUnwell is the end of a status that is not fine.
type errUnwell struct{}

func (errUnwell) Error() string { return "not everything is well" }

// askPatience bounds what a command asks of etcd, and of one process.
const (
	etcdPatience    = 5 * time.Second
	processPatience = 2 * time.Second
)

func newStatus() *cobra.Command {
	c := &cobra.Command{
		Use: "status [ROLE...]", Short: "Show who is active, who stands by, and what is wrong",
		Long: "status reads the sessions in etcd, and asks each process and each member of etcd how it is.\n\n" +
			"Exit codes: 0 all is well, 1 etcd cannot be read, 3 something is wrong; it is said in words.",
		Args: func(cmd *cobra.Command, args []string) error {
			for _, a := range args {
				if err := oneRole(cmd, []string{a}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	out, watch := addOutput(c), addWatch(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			roles := args
			if len(roles) == 0 {
				roles = components.Roles()
			}
			members, err := etcdutil.DialEach(ctx, components.EtcdConfig(cfg))
			if err != nil {
				return err
			}
			defer members.Close() //nolint:errcheck // nothing is in flight
			reader := &haview.Reader{
				Client: client, MetaRoot: cfg.Etcd.MetaRoot(), Roles: roles, HTTP: http.DefaultClient, Patience: processPatience,
				Members: members,
			}
			return watch.repeat(ctx, cmd, func(ctx context.Context) error {
				view, err := readView(ctx, reader)
				if err == nil {
					err = out.print(cmd.OutOrStdout(), view, func(t *tabwriter.Writer, wide bool) { printView(t, view, wide) })
				}
				if err == nil && !view.Fine() {
					err = errUnwell{}
				}
				return err
			})
		})
	}
	return c
}

func readView(ctx context.Context, reader *haview.Reader) (haview.View, error) {
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	return reader.Read(ctx)
}

// withEtcd gives work a client of the etcd of the configuration.
func withEtcd(ctx context.Context, work func(context.Context, *clientv3.Client, *config.Config) error) error {
	cfg, _, err := loadConfig()
	if err != nil {
		return err
	}
	client, err := components.DialEtcd(ctx, cfg)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // nothing is in flight
	failure := work(ctx, client, cfg)
	if failure == nil {
		return nil
	}
	err = fmt.Errorf("%w (etcd: %s, root path: %s)", failure, strings.Join(cfg.Etcd.Endpoints, ", "), cfg.Etcd.RootPath)
	if etcdutil.IsUnavailable(failure) && ctx.Err() == nil {
		for _, endpoint := range cfg.Etcd.Endpoints {
			why, remedy := components.EtcdConfig(cfg).Explain(ctx, endpoint, failure, processPatience)
			err = fmt.Errorf("%w\n  etcd %s: %s; %s", err, endpoint, why, remedy)
		}
	}
	return err
}

func printView(t *tabwriter.Writer, v haview.View, wide bool) {
	head := []string{"ROLE", "ID", "ADDRESS", "HOST", "KIND", "STATE", "TERM", "LEASE", "LAG", "SINCE", "VERSION"}
	if wide {
		head = append(head, "PID", "HTTP", "PROTOCOL")
	}
	row(t, head...)
	for _, r := range v.Roles {
		for _, m := range r.Members {
			row(t, memberCells(r.Name, m, v.At, wide)...)
		}
	}
	for _, r := range v.Roles {
		for _, problem := range r.Problems {
			fmt.Fprintf(t, "! %s: %s\n", r.Name, problem)
		}
	}
	for _, problem := range v.Etcd {
		fmt.Fprintf(t, "! etcd: %s\n", problem)
	}
}

func memberCells(role string, m haview.Member, now time.Time, wide bool) []string {
	term, since := "-", "-"
	if m.Term != 0 {
		term = strconv.FormatInt(m.Term, 10)
	}
	if !m.Since.IsZero() {
		since = now.Sub(m.Since).Round(time.Second).String()
	}
	cells := []string{
		role, strconv.FormatInt(m.ServerID, 10), m.Address, orDash(m.Host), m.Kind, orDash(m.State), term,
		known(m.Lease, "s"), known(float64(m.Lag), ""), since, orDash(m.Version),
	}
	if wide {
		pid := ""
		if m.PID != 0 {
			pid = strconv.Itoa(m.PID)
		}
		cells = append(cells, orDash(pid), orDash(m.HTTP), orDash(m.Protocol))
	}
	return cells
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// known is a number, or a dash for one that nobody knows.
func known(n float64, unit string) string {
	if n < 0 {
		return "-"
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + unit
}
