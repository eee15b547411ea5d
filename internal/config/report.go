package config

import (
	"fmt"
	"io"
	"sort"
	"text/tabwriter"
)

// Kind is what sort of source a value comes from.
type Kind int

// The sources, lowest precedence first.
const (
	FromDefault Kind = iota
	FromFile
	FromEnv
)

// Origin is where a value comes from.
type Origin struct {
	Kind Kind
	File string // path, of FromFile
	Line int    // in File; 0 if not known
	Env  string // variable, of FromEnv
	// Key is the spelling that was used where it is not the documented one: an older or a second name of the key.
	Key string
}

// String is how `milvus config` prints it: default, a file and line, or env and the variable.
func (o Origin) String() string {
	text := o.place()
	if text == "" {
		text = "default"
	}
	if o.Key != "" {
		text += " (as " + o.Key + ")"
	}
	return text
}

// place is the file and line or the variable; empty for a default.
func (o Origin) place() string {
	switch {
	case o.Kind == FromEnv:
		return "env " + o.Env
	case o.Kind == FromFile && o.Line > 0:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	case o.Kind == FromFile:
		return o.File
	}
	return ""
}

// Entry is one key with its effective value.
type Entry struct {
	Key     string
	Value   string // masked if it is a secret
	Default string // likewise
	Origin  Origin
}

// Warning is something that is probably a mistake but stops nothing.
type Warning struct {
	Origin Origin
	Text   string
}

// String is one line: configs/milvus.yaml:12: rootCoord.prot: unknown key; did you mean rootCoord.port?
func (w Warning) String() string {
	if place := w.Origin.place(); place != "" {
		return place + ": " + w.Text
	}
	return w.Text
}

// Report tells where the configuration comes from.
type Report struct {
	// Dir is the directory that was looked into; Files are the paths that were found there, in the order of reading.
	Dir   string
	Files []string
	// Entries holds every known key, sorted.
	Entries  []Entry
	Warnings []Warning
}

// Lookup finds the entry of a key as documented.
func (r *Report) Lookup(key string) (Entry, bool) {
	i := sort.Search(len(r.Entries), func(i int) bool { return r.Entries[i].Key >= key })
	if i < len(r.Entries) && r.Entries[i].Key == key {
		return r.Entries[i], true
	}
	return Entry{}, false
}

// Print writes a table of key, value and origin.
func (r *Report) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, entry := range r.Entries {
		value := entry.Value
		if value == "" {
			value = `""`
		}
		if _, err := fmt.Fprintf(table, "%s\t%s\t%s\n", entry.Key, value, entry.Origin); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// mask hides a secret, though not that there is one.
func mask(value string) string {
	if value == "" {
		return ""
	}
	return "******"
}
