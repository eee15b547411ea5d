package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/milvus-coord/milvus/internal/components"
)

// oneServer is the argument check of commands about a process, which may have several roles.
func oneServer(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && (args[0] == mixture || slices.Contains(components.Servers(), args[0])) {
		return nil
	}
	return refuse(args, components.Servers())
}

// mixture is how Milvus spells a mixcoord whose roles are chosen by flags.
const mixture = "mixture"

// mixtureFlags are Milvus' flags of a mixture.
type mixtureFlags struct {
	coordinators [3]bool // in the order of components.Roles
	indexCoord   bool
	others       [len(workers)]bool
}

// workers are the roles that Milvus can put into a mixture and we cannot.
var workers = [...]string{"proxy", "querynode", "datanode", "indexnode", "streamingnode"}

func (f *mixtureFlags) register(flags *pflag.FlagSet) {
	for i, role := range components.Roles() {
		flags.BoolVar(&f.coordinators[i], role, false, "with mixture: run "+role)
	}
	flags.BoolVar(&f.indexCoord, "indexcoord", false, "with mixture: nothing more than datacoord, which it is a part of")
	for i, role := range workers {
		flags.BoolVar(&f.others[i], role, false, "with mixture: not part of this binary")
		flags.Lookup(role).Hidden = true
	}
}

// choose finds what to run.
func (f *mixtureFlags) choose(name string) (components.Server, error) {
	var chosen []string
	for i, role := range components.Roles() {
		if f.coordinators[i] {
			chosen = append(chosen, role)
		}
	}
	for i, role := range workers {
		if f.others[i] {
			return components.Server{}, foreign(role)
		}
	}
	switch {
	case name != mixture && (len(chosen) > 0 || f.indexCoord):
		return components.Server{}, usagef("flags choose the roles of a mixture; %s has its own", name)
	case name == mixture && len(chosen) == 0 && f.indexCoord:
		return components.Server{}, usagef("indexcoord is part of datacoord since Milvus 2.3: add -datacoord")
	}
	server, err := components.NewServer(name, chosen...)
	if err != nil {
		return components.Server{}, usageError{err}
	}
	return server, nil
}

// oneRole is the argument check of commands about a role.
func oneRole(_ *cobra.Command, args []string) error {
	if len(args) == 1 && slices.Contains(components.Roles(), args[0]) {
		return nil
	}
	return refuse(args, components.Roles())
}

// refuse says what is wrong with arguments that should be one of a few names.
func refuse(args, names []string) error {
	list := strings.Join(names, ", ")
	switch {
	case len(args) == 0:
		return usagef("a role is missing: one of %s", list)
	case len(args) > 1:
		return usagef("one role at a time, not %d: one of %s", len(args), list)
	case slices.Contains(workers[:], args[0]):
		return foreign(args[0])
	}
	switch args[0] {
	case "indexcoord":
		return usagef("indexcoord is part of datacoord since Milvus 2.3: use datacoord")
	case "embedded":
		return usagef("embedded is Milvus inside a Python process, which this binary is not: use standalone")
	case mixture, components.MixCoord, components.Standalone:
		return usagef("%s is a process of several roles, this is about one: one of %s", args[0], list)
	}
	return usagef("unknown role %q: one of %s", args[0], list)
}

func foreign(role string) error {
	return usagef("%s is not part of this binary, which runs coordinators (%s); use Milvus' own, it works with these",
		role, strings.Join(components.Roles(), ", "))
}
