// Package clustertest runs real programs for tests: etcd, the coordinators, and a TCP proxy that cuts connections.
//
// Everything listens on loopback, on ports that the kernel picked, and ends with the test. Nothing here is linked into
// the product.
package clustertest
