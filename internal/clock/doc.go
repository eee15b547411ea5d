// Package clock counts nanoseconds that no setting of the wall clock and no suspension can hide: on Linux the boot-time
// clock, which goes on while the process is stopped and while the machine sleeps. Elsewhere it is Go's monotonic clock,
// which stops during the machine's sleep.
//
// It promises differences within one process only. The numbers mean nothing in another process or on another machine.
package clock
