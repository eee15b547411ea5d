package sessionutil

import (
	"time"
)

// requestTimeout bounds one request to etcd outside the heartbeat; an etcd election takes about a second.
const requestTimeout = 3 * time.Second

// retryPause grows from 20 ms to 1 s: quick enough for an etcd that has just come back, slow enough for one that is away.
func retryPause(try int) time.Duration {
	return min(20*time.Millisecond<<min(try, 10), time.Second)
}
