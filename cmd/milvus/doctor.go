package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/milvus-coord/milvus/internal/components"
	"github.com/milvus-coord/milvus/internal/config"
	"github.com/milvus-coord/milvus/internal/doctor"
)

func newDoctor() *cobra.Command {
	c := &cobra.Command{
		Use: "doctor", Short: "Look at all that coordinators need, and say what is wrong and what to do", Args: noArguments,
		Long: "doctor checks the configuration, every endpoint of etcd (answers, members, leader, alarms, space, latency), the\n" +
			"clocks, this host's ports, the metadata's roots, the sessions, and how each role stands.\n\n" +
			"Exit codes: 0 nothing fails, 1 it cannot begin (the configuration is wrong), 3 something fails. What is only worth\n" +
			"knowing is a warning.",
	}
	out, watch := addOutput(c), addWatch(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, report, err := config.Load(config.Source{Environ: os.Environ()}) // its warnings are findings
		if err != nil {
			return err
		}
		about, err := components.DoctorConfig(cfg, report, processPatience)
		if err != nil {
			return err
		}
		return watch.repeat(cmd.Context(), cmd, func(ctx context.Context) error { return examine(ctx, cmd.OutOrStdout(), *out, about) })
	}
	return c
}

func examine(ctx context.Context, w io.Writer, out output, about doctor.Config) error {
	findings, err := doctor.Examine(ctx, about)
	if err != nil {
		return err
	}
	err = out.print(w, findings, func(t *tabwriter.Writer, _ bool) {
		for _, f := range findings {
			line := fmt.Sprintf("%s\t%s\t%s", f.Status, f.What, f.Detail)
			if f.Do != "" {
				line += "  -> " + f.Do
			}
			row(t, line)
		}
	})
	if err == nil && !doctor.Well(findings) {
		err = errUnwell{}
	}
	return err
}
