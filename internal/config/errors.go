package config

import (
	"fmt"
	"strings"
)

// Error is one thing that is wrong with the configuration.
type Error struct {
	// Origin is where the value was given; File and Line, or Env, are filled as far as known.
	Origin Origin
	// Key is the key as documented; empty if the whole file is wrong.
	Key string
	// Value is the value as given, masked if it is a secret. HasValue tells an empty one from none.
	Value    string
	HasValue bool
	// Problem says what is wrong, or Allowed what would be right; at least one is given.
	Problem string
	Allowed string
}

// Error is one line: configs/milvus.yaml:12: rootCoord.port: "abc" is not a port; allowed: 0 to 65535.
func (e *Error) Error() string {
	var text strings.Builder
	if place := e.Origin.place(); place != "" {
		text.WriteString(place + ": ")
	}
	if e.Key != "" {
		text.WriteString(e.Key)
		if e.Origin.Key != "" && e.Origin.Key != e.Key {
			text.WriteString(" (as " + e.Origin.Key + ")")
		}
		text.WriteString(": ")
	}
	if e.HasValue {
		fmt.Fprintf(&text, "%q ", e.Value)
	}
	switch {
	case e.Problem != "" && e.Allowed != "":
		text.WriteString(e.Problem + "; allowed: " + e.Allowed)
	case e.Problem != "":
		text.WriteString(e.Problem)
	default:
		text.WriteString("is not allowed; allowed: " + e.Allowed)
	}
	return text.String()
}

// Errors is everything that is wrong with the configuration, in the order files are read and keys are documented.
type Errors []*Error

// Error is a line for each error.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the first one.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}
