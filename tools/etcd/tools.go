//go:build tools

// Package tools pins the etcd programs that `make build` makes: the server and its command line tool. It is a module
// of its own because the server's module graph is wide and the product's binary wants none of it.
package tools

import (
	_ "go.etcd.io/etcd/etcdctl/v3"
	_ "go.etcd.io/etcd/server/v3"
)
