package main

import (
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/log"
	"github.com/milvus-coord/milvus/internal/pidfile"
)

func newRun() *cobra.Command {
	var alias string
	var flags mixtureFlags
	c := &cobra.Command{
		Use: "run ROLE", Short: "Run a coordinator, or all in one process, until told to stop", Args: oneServer,
		Long: "run runs one of these in the foreground:\n" +
			"  rootcoord, datacoord, querycoord   one coordinator\n" +
			"  mixcoord                           all three in one process, each active or standby by itself\n" +
			"  mixture -rootcoord -datacoord ...  those that the flags choose, in one process, as Milvus spells it\n" +
			"  standalone                         all three and an etcd, in one process\n\n" +
			"It is configured by milvus.yaml in $MILVUSCONF or ./configs, and by the environment; see 'milvus config'.\n" +
			"SIGTERM and SIGINT stop it in order: calls under way are answered and each role is handed to a standby.",
		RunE: func(cmd *cobra.Command, args []string) error {
			server, err := flags.choose(args[0])
			if err != nil {
				return err
			}
			cfg, report, err := loadConfig()
			if err != nil {
				return err
			}
			logging, err := log.New(logConfig(cfg, server.Name))
			if err != nil {
				return err
			}
			defer logging.Close() //nolint:errcheck // nothing is left to say
			banner(os.Stderr)
			pid, err := pidfile.Acquire(runDirs(), server.Name, alias)
			if err != nil {
				return err
			}
			defer pid.Release() //nolint:errcheck // a leftover is harmless: it is not locked
			fmt.Fprintf(os.Stderr, "open pid file: %s\nlock pid file: %s\n", pid.Path(), pid.Path())
			return components.Run(cmd.Context(), server, cfg, report, logging, components.Build{
				Version: version, Milvus: components.MilvusVersion, Commit: commit, Time: built,
			})
		},
	}
	c.Flags().StringVar(&alias, "alias", "", "name of this process among those of its role on this machine, for its pid file")
	flags.register(c.Flags())
	return c
}

func logConfig(cfg *config.Config, server string) log.Config {
	return log.Config{
		Level: cfg.Log.Level, Format: cfg.Log.Format, Stdout: cfg.Log.Stdout,
		File: log.FileConfig{
			RootPath: cfg.Log.File.RootPath, Name: log.FileName(server), MaxSizeMB: cfg.Log.File.MaxSizeMB,
			MaxAgeDays: cfg.Log.File.MaxAgeDays, MaxBackups: cfg.Log.File.MaxBackups,
		},
	}
}

func banner(w io.Writer) {
	fmt.Fprintf(w, `
   __  __ _ _
  |  \/  (_) |_ ___  _ ___
  | |\/| | | \ V / || (_-<
  |_|  |_|_|_|\_/ \_,_/__/   coordinators

Welcome to use Milvus!
Version:   %s
Built:     %s
GitCommit: %s
GoVersion: %s

`, version, built, commit, runtime.Version())
}
