package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"
)

// output is the flag -o of commands that show something.
type output string

const (
	asTable output = "table"
	asWide  output = "wide"
	asJSON  output = "json"
	asYAML  output = "yaml"
)

func outputs() []string {
	return []string{string(asTable), string(asWide), string(asJSON), string(asYAML)}
}

func (o *output) String() string { return string(*o) }

// Type is what the help calls the value.
func (o *output) Type() string { return "format" }

// Set implements pflag.Value.
func (o *output) Set(s string) error {
	if !slices.Contains(outputs(), s) {
		return fmt.Errorf("one of %s", strings.Join(outputs(), ", "))
	}
	*o = output(s)
	return nil
}

func addOutput(c *cobra.Command) *output {
	o := asTable
	c.Flags().VarP(&o, "output", "o", "how to show it: "+strings.Join(outputs(), ", "))
	return &o
}

// print shows v for machines, or by table for people.
func (o output) print(w io.Writer, v any, table func(t *tabwriter.Writer, wide bool)) error {
	switch o {
	case asJSON:
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	case asYAML:
		e := yaml.NewEncoder(w)
		e.SetIndent(2)
		if err := e.Encode(v); err != nil {
			return err
		}
		return e.Close()
	default:
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		table(t, o == asWide)
		return t.Flush()
	}
}

// row prints the cells of a line; those behind "wide" columns are left to the caller.
func row(w io.Writer, cells ...string) { fmt.Fprintln(w, strings.Join(cells, "\t")) }
