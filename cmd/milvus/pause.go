package main

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// paused is what pause and resume show: the role as they left it.
type paused struct {
	Role   string        `json:"role" yaml:"role"`
	Was    bool          `json:"wasPaused" yaml:"wasPaused"`
	Paused *haview.Pause `json:"paused" yaml:"paused"`
}

func newPause() *cobra.Command {
	var length time.Duration
	var end string
	c := &cobra.Command{
		Use: "pause ROLE", Short: "Let no standby take a role over by itself, for maintenance", Args: oneRole,
		Long: "pause lets no standby take over: one that dies is not replaced until 'milvus resume', or until --for has passed, or\n" +
			"until --until. 'milvus switchover' works all the same, and who held the role last takes it up again, also when\n" +
			"restarted. 'milvus status', 'milvus history' and 'milvus doctor' show it.",
	}
	out := addOutput(c)
	c.Flags().DurationVar(&length, "for", 0, "how long, such as 30m; 0 is until it is resumed")
	c.Flags().StringVar(&end, "until", "", "when it ends, such as 18:30 or 2006-01-02T15:04:05Z")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		m := sessionutil.Maintenance{By: operator(), At: time.Now()}
		var err error
		if m.Until, err = pauseEnd(m.At, length, end); err != nil {
			return err
		}
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			ctx, cancel := context.WithTimeout(ctx, etcdPatience)
			defer cancel()
			_, seen, err := sessionutil.Observe(ctx, client, cfg.Etcd.MetaRoot(), args)
			if err != nil {
				return err
			}
			if err := sessionutil.PauseTakeovers(ctx, client, cfg.Etcd.MetaRoot(), args[0], m); err != nil {
				return err
			}
			now := paused{Role: args[0], Was: seen[0].Paused != nil, Paused: (*haview.Pause)(&m)}
			return out.print(cmd.OutOrStdout(), now, func(t *tabwriter.Writer, _ bool) {
				until := "until 'milvus resume " + args[0] + "'"
				if !m.Until.IsZero() {
					until = "until " + m.Until.Local().Format(time.DateTime)
				}
				fmt.Fprintf(t, "%s: nobody takes over by itself %s\n", args[0], until)
			})
		})
	}
	return c
}

// pauseEnd is when a pause ends by itself; the zero time: it does not.
func pauseEnd(now time.Time, length time.Duration, end string) (time.Time, error) {
	switch {
	case length < 0:
		return time.Time{}, usagef("--for must not be negative")
	case length > 0 && end != "":
		return time.Time{}, usagef("--for and --until say the same: choose one")
	case length > 0:
		return now.Add(length), nil
	case end == "":
		return time.Time{}, nil
	}
	at, err := parseTime(now, end)
	if err != nil {
		return time.Time{}, err
	}
	if !at.After(now) {
		return time.Time{}, usagef("--until %s is over: it is %s", end, now.Format(time.DateTime))
	}
	return at, nil
}

// parseTime reads a time of the day, which is the next one, or a full one; without a zone it is the local one.
func parseTime(now time.Time, s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if at, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return at, nil
		}
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		at, err := time.ParseInLocation(layout, s, time.Local)
		if err != nil {
			continue
		}
		at = time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.Local)
		if !at.After(now) {
			at = at.AddDate(0, 0, 1)
		}
		return at, nil
	}
	return time.Time{}, usagef("--until %q is no time: write 18:30, or 2006-01-02T15:04:05Z", s)
}

func newResume() *cobra.Command {
	c := &cobra.Command{Use: "resume ROLE", Short: "End a pause: standbys take over again", Args: oneRole}
	out := addOutput(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			ctx, cancel := context.WithTimeout(ctx, etcdPatience)
			defer cancel()
			was, err := sessionutil.ResumeTakeovers(ctx, client, cfg.Etcd.MetaRoot(), args[0])
			if err != nil {
				return err
			}
			return out.print(cmd.OutOrStdout(), paused{Role: args[0], Was: was}, func(t *tabwriter.Writer, _ bool) {
				said := "standbys take over again"
				if !was {
					said = "was not paused"
				}
				fmt.Fprintf(t, "%s: %s\n", args[0], said)
			})
		})
	}
	return c
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
