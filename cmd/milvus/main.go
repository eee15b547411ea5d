// Command milvus runs the coordinators of a Milvus cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Stamped by the linker, see the Makefile.
var (
	version = "dev"
	commit  = "unknown"
	built   = "unknown"
)

// Exit codes.
const (
	exitOK     = 0
	exitError  = 1
	exitUsage  = 2
	exitUnwell = 3
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	signal.Ignore(syscall.SIGPIPE) // a log reader that goes away is no reason to die
	ctx, stop := notifyContext(context.Background())
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(doubleDashes(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errUnwell{}) {
		return exitUnwell // what is wrong has been said
	}
	fmt.Fprintf(os.Stderr, "milvus: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintln(os.Stderr, "Run 'milvus --help' for usage.")
		return exitUsage
	}
	return exitError
}

// notifyContext ends the context at the first of the signals that mean "stop", and the process at the second: whoever
// sends a second one does not want to wait.
func notifyContext(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(exitError)
	}()
	return ctx, cancel
}

// doubleDashes accepts Milvus' spelling of long flags: -alias for --alias. Short ones (-o, -w=1s) and negative values stay.
func doubleDashes(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if len(a) > 2 && a[0] == '-' && a[1] >= 'a' && a[2] != '=' {
			a = "-" + a
		}
		out[i] = a
	}
	return out
}
