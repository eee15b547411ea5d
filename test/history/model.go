package history

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// The callers' names. Few, so that they meet.
const (
	collections = 3
	aliases     = 2
)

// kind of a call.
type kind int

const (
	create kind = iota
	drop
	rename
	createAlias
	alterAlias
	dropAlias
	describe
	describeAlias
)

func (k kind) String() string {
	return [...]string{"create", "drop", "rename", "createAlias", "alterAlias", "dropAlias", "describe", "describeAlias"}[k]
}

// input is a call: about a collection's name, and another one or an alias.
type input struct {
	kind        kind
	name, other int // of a collection
	alias       int
}

// result is what came of it.
type result int

const (
	done    result = iota
	refused        // it did nothing
	unknown        // nobody knows
)

type output struct {
	result result
	id     int64 // that a description shows; 0: there is no such collection
}

// most is how many collections there can be at a time.
const most = collections

// state is what the names stand for: for collections by a number from 1 on, 0 for nothing. ids are those of the
// collections, 0 as long as nobody has seen it. It is kept in a form that is the same for equal states.
type state struct {
	names   [collections]int8
	aliases [aliases]int8
	ids     [most + 1]int64
}

// normal numbers collections in the order of their names.
func (s state) normal() state {
	var n state
	numbers := [most + 2]int8{}
	next := int8(1)
	for i, c := range s.names {
		if c != 0 {
			numbers[c] = next
			n.names[i], n.ids[next] = next, s.ids[c]
			next++
		}
	}
	for i, c := range s.aliases {
		n.aliases[i] = numbers[c] // 0 if the collection is gone
	}
	return n
}

// next are the states in which a call that is done, or refused, leaves s; none if it could not have come out so.
func next(s state, in input, out output) []state {
	if out.result == unknown {
		all := []state{s}
		if after, could := apply(s, in); could {
			all = append(all, after)
		}
		return all
	}
	if in.kind == describe || in.kind == describeAlias {
		return seen(s, in, out)
	}
	after, could := apply(s, in)
	switch {
	case out.result == done && could:
		return []state{after}
	case out.result == refused && !could:
		return []state{s}
	}
	return nil
}

// apply does a change; could is false if it is refused.
func apply(s state, in input) (after state, could bool) {
	switch in.kind {
	case create:
		if s.names[in.name] == 0 {
			s.names[in.name], s.ids[free(s)] = free(s), 0
		}
	case drop:
		if c := s.names[in.name]; c != 0 {
			s.names[in.name], s.ids[c] = 0, 0
			for i := range s.aliases {
				if s.aliases[i] == c {
					s.aliases[i] = 0
				}
			}
		}
	case rename:
		if s.names[in.name] == 0 || s.names[in.other] != 0 || in.name == in.other {
			return s, false
		}
		s.names[in.other], s.names[in.name] = s.names[in.name], 0
	case createAlias, alterAlias:
		c, there := s.names[in.name], s.aliases[in.alias]
		if c == 0 || in.kind == createAlias && there != 0 && there != c || in.kind == alterAlias && there == 0 {
			return s, false
		}
		s.aliases[in.alias] = c
	case dropAlias:
		s.aliases[in.alias] = 0
	}
	return s.normal(), true
}

// free is a number that no collection has.
func free(s state) int8 {
	used := [most + 2]bool{}
	for _, c := range s.names {
		used[c] = true
	}
	for n := int8(1); ; n++ {
		if !used[n] {
			return n
		}
	}
}

// seen checks what a description shows. The first one that shows a collection's id fixes it.
func seen(s state, in input, out output) []state {
	c := s.names[in.name]
	if in.kind == describeAlias {
		c = s.aliases[in.alias]
	}
	if out.id == 0 || c == 0 {
		if out.id == 0 && c == 0 {
			return []state{s}
		}
		return nil
	}
	if s.ids[c] == out.id {
		return []state{s}
	}
	if s.ids[c] != 0 {
		return nil
	}
	for _, id := range s.ids {
		if id == out.id {
			return nil // another collection's
		}
	}
	s.ids[c] = out.id
	return []state{s}
}

// model is what porcupine checks.
func model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{state{}} },
		Step: func(s, in, out any) []any {
			var all []any
			for _, after := range next(s.(state), in.(input), out.(output)) { //nolint:forcetypeassert // ours
				all = append(all, after)
			}
			return all
		},
		Equal: func(a, b any) bool { return a == b },
		DescribeOperation: func(in, out any) string {
			i, o := in.(input), out.(output) //nolint:forcetypeassert // ours
			return fmt.Sprintf("%s c%d c%d a%d -> %v %d", i.kind, i.name, i.other, i.alias, o.result, o.id)
		},
	}
	return m.ToModel()
}
