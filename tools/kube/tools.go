//go:build tools

// Package tools pins the Kubernetes API server, on which the chart is tried.
package tools

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
