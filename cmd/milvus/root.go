package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/pidfile"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "milvus",
		Short: "The coordinators of a Milvus cluster, highly available",
		Long: "milvus runs the coordinators of a Milvus cluster (rootcoord, datacoord, querycoord), each by itself or all in one\n" +
			"process, alone or in active-standby pairs on etcd.",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				_ = cmd.Usage()
				return usageError{errors.New("a command is missing")}
			}
			return usagef("unknown command %q", args[0])
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRun(), newStop(), newStatus(), newHistory(), newSwitchover(), newPause(), newResume(), newMetadata(), newDoctor(), newConfig(), newVersion(), newReady())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArguments,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "milvus-coordinators %s (commit %s, built %s, %s), protocol of Milvus %s\n",
				version, commit, built, runtime.Version(), components.MilvusVersion)
		},
	}
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

func newConfig() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use: "config", Short: "Print the effective configuration and where each value comes from", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, report, err := loadConfig()
			if err != nil {
				return err
			}
			if check {
				fmt.Fprintln(cmd.OutOrStdout(), "configuration is valid")
				return nil
			}
			return report.Print(cmd.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&check, "check", false, "validate and exit")
	return c
}

// loadConfig reads the configuration and prints its warnings.
func loadConfig() (*config.Config, *config.Report, error) {
	cfg, report, err := config.Load(config.Source{Environ: os.Environ()})
	for _, w := range report.Warnings { // also beside an error: a misspelt key is often the reason for it
		fmt.Fprintf(os.Stderr, "milvus: warning: %s\n", w)
	}
	if err != nil {
		return nil, nil, err
	}
	return cfg, report, nil
}

// runDirs are the folders of the pid files: the usual ones, or that of $MILVUS_RUN_DIR.
func runDirs() []string {
	if dir := os.Getenv("MILVUS_RUN_DIR"); dir != "" {
		return []string{dir}
	}
	return pidfile.Dirs()
}
