package history

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
)

// call is one operation of a hand-written history.
func call(client int, began, ended int64, in input, out output) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: in, Call: began, Output: out, Return: ended}
}

func TestTheModel(t *testing.T) {
	const forever = int64(1) << 60
	x, y := input{kind: create, name: 0}, input{kind: rename, name: 0, other: 1}
	look := input{kind: describe, name: 0}
	for what, tc := range map[string]struct {
		history []porcupine.Operation
		want    bool
	}{
		"create and see": {[]porcupine.Operation{call(1, 0, 1, x, output{}), call(1, 2, 3, look, output{id: 7})}, true},
		"a stale read": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(1, 2, 3, input{kind: drop}, output{}), call(2, 4, 5, look, output{id: 7}),
		}, false},
		"a concurrent read": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(1, 2, 6, input{kind: drop}, output{}), call(2, 4, 5, look, output{id: 7}),
		}, true},
		"a lost creation": {[]porcupine.Operation{call(1, 0, 1, x, output{}), call(1, 2, 3, look, output{})}, false},
		"created twice": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(2, 0, 1, x, output{}), call(1, 2, 3, look, output{id: 7}), call(1, 4, 5, look, output{id: 8}),
		}, false},
		"dropped and created again": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(1, 2, 3, look, output{id: 7}), call(1, 4, 5, input{kind: drop}, output{}),
			call(1, 6, 7, x, output{}), call(1, 8, 9, look, output{id: 8}),
		}, true},
		"an unknown drop that came late": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(2, 2, forever, input{kind: drop}, output{result: unknown}),
			call(1, 3, 4, look, output{id: 7}), call(1, 5, 6, look, output{}),
		}, true},
		"an unknown drop that came twice": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(2, 2, forever, input{kind: drop}, output{result: unknown}),
			call(1, 3, 4, look, output{}), call(1, 5, 6, x, output{}), call(1, 7, 8, look, output{}),
		}, false},
		"a rename keeps the id": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(1, 2, 3, look, output{id: 7}), call(1, 4, 5, y, output{}),
			call(1, 6, 7, input{kind: describe, name: 1}, output{id: 7}), call(1, 6, 7, look, output{}),
		}, true},
		"a rename to another": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(1, 2, 3, look, output{id: 7}), call(1, 4, 5, y, output{}),
			call(1, 6, 7, input{kind: describe, name: 1}, output{id: 8}),
		}, false},
		"a rename of nothing": {[]porcupine.Operation{call(1, 0, 1, y, output{})}, false},
		"a refused one":       {[]porcupine.Operation{call(1, 0, 1, y, output{result: refused})}, true},
		"an alias goes with its collection": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(1, 2, 3, input{kind: createAlias}, output{}), call(1, 4, 5, input{kind: describeAlias}, output{id: 7}),
			call(1, 6, 7, input{kind: drop}, output{}), call(1, 8, 9, input{kind: describeAlias}, output{}),
		}, true},
		"an alias outlives its collection": {[]porcupine.Operation{
			call(1, 0, 1, x, output{}), call(1, 2, 3, input{kind: createAlias}, output{}), call(1, 4, 5, look, output{id: 7}),
			call(1, 6, 7, input{kind: drop}, output{}), call(1, 8, 9, input{kind: describeAlias}, output{id: 7}),
		}, false},
	} {
		t.Run(what, func(t *testing.T) { require.Equal(t, tc.want, porcupine.CheckOperations(model(), tc.history)) })
	}
}
