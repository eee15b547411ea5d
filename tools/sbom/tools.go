//go:build tools

// Package tools pins the program that writes the bill of materials of a release. It is a module of its own because the
// program's module graph is wide.
package tools

import _ "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod"
