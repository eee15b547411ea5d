// Package failover holds the end-to-end stories: real processes on a real etcd, killed, paused and cut off, under a
// workload whose every answer is checked afterwards. `make e2e` runs them.
package failover
