// Package zmssvctoken stands in for Athenz' package of that name; see third_party/README.md.
package zmssvctoken

import "errors"

// ErrAbsent is the answer of everything here.
var ErrAbsent = errors.New("athenz is not built in")

// Token is never made.
type Token interface{ Value() (string, error) }

// TokenBuilder is never made.
type TokenBuilder interface{ Token() Token }

// NewTokenBuilder fails.
func NewTokenBuilder(_, _ string, _ []byte, _ string) (TokenBuilder, error) { return nil, ErrAbsent }
