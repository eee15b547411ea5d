package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/milvus-coord/milvus/internal/backup"
	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/config"
)

func newMetadata() *cobra.Command {
	c := &cobra.Command{
		Use: "metadata", Short: "Back up, verify and restore a cluster's metadata in etcd",
		Long: "metadata is about what a cluster keeps in etcd: databases, collections, users, segments, indexes, the bounds of\n" +
			"timestamps and ids. The data themselves, in the object store and the message queue, are not in it.",
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("what about the metadata: backup, verify or restore?")
			}
			return usagef("unknown command %q: one of backup, verify, restore", args[0])
		},
	}
	c.AddCommand(newBackup(), newVerify(), newRestore())
	return c
}

// oneFile is the argument check of commands about a file.
func oneFile(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usagef("a file is missing; - is the standard input or output")
	case len(args) > 1:
		return usagef("one file at a time, not %d", len(args))
	}
	return nil
}

func newBackup() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "backup FILE", Short: "Copy all metadata, as it is at one revision of etcd, into a file", Args: oneFile,
		Long: "backup writes everything under the cluster's root path, as it is at one revision, into FILE (- is the standard\n" +
			"output). Coordinators go on meanwhile. Sessions and all else on a lease are about processes, and left out.\n\n" +
			"FILE appears when it is whole, for its owner alone: it holds the hashes of passwords.",
	}
	out := addOutput(c)
	c.Flags().BoolVar(&force, "force", false, "replace a file of that name")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			say := cmd.OutOrStdout()
			from := backup.Source{
				Client: client, Layout: components.MetadataLayout(cfg.Etcd), Product: version,
				Progress: progress(cmd.ErrOrStderr(), "read"),
			}
			var report backup.Report
			var err error
			if args[0] == "-" {
				say = cmd.ErrOrStderr()
				report, err = backup.TakeStream(ctx, from, cmd.OutOrStdout())
			} else {
				report, err = backup.TakeFile(ctx, from, args[0], force)
			}
			if errors.Is(err, backup.ErrExists) {
				return fmt.Errorf("%w; --force replaces it", err)
			}
			if err != nil {
				return err
			}
			return out.print(say, report, func(t *tabwriter.Writer, _ bool) {
				fmt.Fprintf(t, "%s: %d keys under %s at revision %d, %d bytes, in %v\n", args[0], report.Keys, report.RootPath,
					report.Revision, report.Bytes, report.Took.Round(time.Millisecond))
				if report.LeftOut > 0 {
					fmt.Fprintf(t, "left out: %d keys on a lease, which are about processes\n", report.LeftOut)
				}
				if report.Tries > 1 {
					fmt.Fprintf(t, "begun %d times: etcd compacted the revision meanwhile\n", report.Tries)
				}
			})
		})
	}
	return c
}

func newVerify() *cobra.Command {
	c := &cobra.Command{
		Use: "verify FILE", Short: "Check a backup of metadata and say what is in it", Args: oneFile,
		Long: "verify reads FILE (- is the standard input) to its end: checksum, order, counts, and every record as coordinators\n" +
			"would. It needs no etcd.\n\n" +
			"Exit codes: 0 all is well, 1 the file is damaged or cannot be read, 3 it is whole, but records in it do not\n" +
			"decode; they were so in etcd, and are restored as they are.",
	}
	out := addOutput(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := openFile(cmd, args[0])
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // read only
		summary, err := backup.Verify(file, components.MetadataChecks)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		err = out.print(cmd.OutOrStdout(), summary, func(t *tabwriter.Writer, wide bool) { printSummary(t, args[0], summary, wide) })
		if err == nil && summary.Undecoded > 0 {
			err = errUnwell{}
		}
		return err
	}
	return c
}

func openFile(cmd *cobra.Command, name string) (*os.File, error) {
	if name == "-" {
		return backup.Spool(cmd.InOrStdin())
	}
	return os.Open(name)
}

func printSummary(t *tabwriter.Writer, file string, s backup.Summary, wide bool) {
	fmt.Fprintf(t, "%s: whole\n", file)
	row(t, "root path", s.RootPath)
	row(t, "taken", s.Taken.Local().Format(time.DateTime)+", by version "+s.Product)
	row(t, "revision", fmt.Sprintf("%d of etcd cluster %s", s.Revision, s.Cluster))
	row(t, "keys", fmt.Sprintf("%d, and %d on a lease were left out", s.Keys, s.LeftOut))
	row(t, "timestamps below", bound(s.Timestamps))
	row(t, "ids below", bound(s.IDs))
	row(t, "next ServerID", fmt.Sprint(s.ServerID))
	for _, k := range s.Kinds {
		row(t, "  "+k.Name, fmt.Sprint(k.Count))
	}
	if s.Tombstones > 0 {
		row(t, "  tombstones", fmt.Sprint(s.Tombstones))
	}
	if s.Other > 0 {
		row(t, "  of kinds unknown here", fmt.Sprint(s.Other))
	}
	const most = 10
	for i, u := range s.Examples {
		if i == most && !wide {
			fmt.Fprintf(t, "! and more that do not decode, %d in all\n", s.Undecoded)
			break
		}
		fmt.Fprintf(t, "! %s does not decode: %s\n", u.Key, u.Problem)
	}
}

func bound(at time.Time) string {
	if at.IsZero() {
		return "- (none were given out yet)"
	}
	return at.Local().Format("2006-01-02 15:04:05.000")
}

func newRestore() *cobra.Command {
	var replace bool
	var rootPath string
	c := &cobra.Command{
		Use: "restore FILE", Short: "Put a backup of metadata back into etcd", Args: oneFile,
		Long: "restore verifies FILE (- is the standard input) and puts it into etcd. No process of the cluster may run: stop the\n" +
			"coordinators, the proxies and the nodes first. A root path that is not empty is left alone without --replace.\n\n" +
			"Timestamps, ids and ServerIDs never go back: they go on above what is there, what the backup holds, and the present\n" +
			"time. A restore that dies before its end leaves a mark, and coordinators wait until another restore, with --replace,\n" +
			"has taken it away.\n\n" +
			"--root-path restores a copy under another path of this etcd. Values are not changed: the copy names the channels and\n" +
			"files of the original, and must not run on the same message queue and object store.",
	}
	out := addOutput(c)
	c.Flags().BoolVar(&replace, "replace", false, "delete what is there first")
	c.Flags().StringVar(&rootPath, "root-path", "", "restore under this path instead of etcd.rootPath, also a backup of another one")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		file, err := openFile(cmd, args[0])
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // read only
		return withEtcd(cmd.Context(), func(ctx context.Context, client *clientv3.Client, cfg *config.Config) error {
			to, err := destination(file, cfg.Etcd, rootPath)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			result, err := backup.Restore(ctx, backup.Destination{
				Client: client, Layout: to, Roles: components.ActiveNames(), By: operator(), Replace: replace,
				Progress: progress(cmd.ErrOrStderr(), "put"),
			}, file)
			if err != nil {
				return explainRestore(args[0], err, replace)
			}
			return out.print(cmd.OutOrStdout(), result, func(t *tabwriter.Writer, _ bool) { printResult(t, args[0], result) })
		})
	}
	return c
}

// destination is where a backup goes. One of another root path goes there only if that is said.
func destination(file io.ReadSeeker, e config.Etcd, rootPath string) (backup.Layout, error) {
	if rootPath != "" {
		e.RootPath = path.Clean(rootPath)
		return components.MetadataLayout(e), nil
	}
	header, err := backup.ReadHeader(file)
	if err != nil {
		return backup.Layout{}, err
	}
	if header.RootPath != e.RootPath {
		return backup.Layout{}, usagef("the backup is of root path %q, and etcd.rootPath is %q: say --root-path %s to restore it there", header.RootPath, e.RootPath, e.RootPath)
	}
	return components.MetadataLayout(e), nil
}

func explainRestore(file string, err error, replace bool) error {
	var refused *backup.RefusedError
	var incomplete *backup.IncompleteError
	switch {
	case errors.As(err, &refused) && !replace && !refused.Live:
		return fmt.Errorf("%s: %w; --replace deletes what is there first", file, err)
	case errors.As(err, &incomplete):
		return fmt.Errorf("%w (milvus metadata restore --replace %s)", err, file)
	}
	return fmt.Errorf("%s: %w", file, err)
}

func printResult(t *tabwriter.Writer, file string, r backup.Result) {
	if r.Deleted > 0 {
		fmt.Fprintf(t, "deleted %d keys that were under %s\n", r.Deleted, r.To.RootPath)
	}
	fmt.Fprintf(t, "restored %d keys of %s under %s, as they were on %s, in %v\n", r.Keys, file, r.To.RootPath,
		r.Taken.Local().Format(time.DateTime), (time.Duration(r.TookMillis) * time.Millisecond))
	fmt.Fprintf(t, "timestamps go on from %s, ids from %s, ServerIDs from %d\n", bound(r.Counters.Timestamps), bound(r.Counters.IDs), r.Counters.ServerID)
	if r.To.RootPath != r.RootPath {
		fmt.Fprintf(t, "values are as they were under %s: channel names and paths of files are the original's\n", r.RootPath)
	}
}

// progress says on a terminal how far a long work is. Elsewhere nobody wants to read that.
func progress(w io.Writer, verb string) func(int64) {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return func(keys int64) { fmt.Fprintf(w, "\r%d keys %s\r", keys, verb) }
}
