//go:build tools

// Package tools pins the linter of `make check`. It is a module of its own because the linter's module graph is wide.
package tools

import _ "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"
