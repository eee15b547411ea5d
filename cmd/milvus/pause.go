package main

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

func newPause() *cobra.Command {
	var length time.Duration
	c := &cobra.Command{
		Use: "pause ROLE", Short: "Let no standby take a role over by itself, for maintenance", Args: oneRole,
		Long: "pause lets no standby take over: one that dies is not replaced until 'milvus resume', or until --for has passed.\n" +
			"'milvus switchover' works all the same, and who held the role last takes it up again, also when restarted.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if length < 0 {
				return usagef("--for must not be negative")
			}
			return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
				ctx, cancel := context.WithTimeout(ctx, etcdPatience)
				defer cancel()
				m := sessionutil.Maintenance{By: operator(), At: time.Now()}
				until := "until 'milvus resume " + args[0] + "'"
				if length > 0 {
					m.Until = m.At.Add(length)
					until = "until " + m.Until.Format(time.DateTime)
				}
				if err := sessionutil.PauseTakeovers(ctx, client, cfg.Etcd.MetaRoot(), args[0], m); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: nobody takes over by itself %s\n", args[0], until)
				return nil
			})
		},
	}
	c.Flags().DurationVar(&length, "for", 0, "how long, such as 30m; 0 is until it is resumed")
	return c
}

func newResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume ROLE", Short: "End a pause: standbys take over again", Args: oneRole,
		RunE: func(cmd *cobra.Command, args []string) error {
			return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
				ctx, cancel := context.WithTimeout(ctx, etcdPatience)
				defer cancel()
				was, err := sessionutil.ResumeTakeovers(ctx, client, cfg.Etcd.MetaRoot(), args[0])
				if err != nil {
					return err
				}
				said := "standbys take over again"
				if !was {
					said = "was not paused"
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[0], said)
				return nil
			})
		},
	}
}

// operator is who runs this command, for those who see what it did.
func operator() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
