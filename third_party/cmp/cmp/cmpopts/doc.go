// Package cmpopts is empty. Tests of other modules import the real one, and `go mod tidy` wants to find it.
package cmpopts
