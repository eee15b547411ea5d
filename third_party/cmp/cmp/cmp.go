// Package cmp takes the place of github.com/google/go-cmp/cmp, which etcd's server calls in one place: when it is asked by
// ETCD_VERIFY to check its own cache. The real package looks methods up by name, and with that the linker has to keep every
// exported method of the whole binary.
package cmp

import (
	"fmt"
	"reflect"
)

// Option changes a comparison; there are none.
type Option any

// Diff is empty if x and y are equal, and else shows both.
func Diff(x, y any, _ ...Option) string {
	if reflect.DeepEqual(x, y) {
		return ""
	}
	return fmt.Sprintf("-%#v\n+%#v", x, y)
}
