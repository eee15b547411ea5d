package etcdutil

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Explain finds out why an endpoint did not answer, and what may help: of err, the client library's, one learns mostly that
// time ran out. It opens a connection of its own and takes at most patience.
func (c Config) Explain(ctx context.Context, endpoint string, err error, patience time.Duration) (why, remedy string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch {
	case errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrAuthNotEnabled):
		return "it refuses the user: " + err.Error(), "correct etcd.auth.userName and etcd.auth.password, or etcd.auth.enabled"
	case errors.Is(err, rpctypes.ErrUserEmpty), errors.Is(err, rpctypes.ErrInvalidAuthToken):
		return "it wants a user and a password", "set etcd.auth.enabled, etcd.auth.userName and etcd.auth.password"
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return "the user may not read the root path", "grant the user of etcd.auth.userName read and write on etcd.rootPath"
	}
	conn, dialed := (&net.Dialer{}).DialContext(ctx, "tcp", endpoint)
	if dialed != nil {
		return dialed.Error(), "start etcd there, open the way to it, or correct etcd.endpoints"
	}
	defer conn.Close() //nolint:errcheck // nothing was written
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a connection that is gone says so itself
	}
	settings, invalid := c.TLS.Load()
	switch {
	case invalid != nil:
		return invalid.Error(), "correct etcd.ssl"
	case settings == nil:
		if tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) == nil { //nolint:gosec // nothing is trusted, only asked
			return "it speaks TLS, and this configuration does not", "set etcd.ssl.enabled, and etcd.ssl.tlsCACert if its certificate is your own"
		}
		return "it is reached, but does not answer: " + err.Error(), "look into that member's log: it may have no leader, or be no etcd"
	}
	settings.ServerName, _, _ = net.SplitHostPort(endpoint)
	if shaken := tls.Client(conn, settings).HandshakeContext(ctx); shaken != nil {
		return "no TLS with it: " + shaken.Error(), "correct etcd.ssl.tlsCACert, etcd.ssl.tlsCert and etcd.ssl.tlsKey, or etcd.ssl.enabled if it speaks none"
	}
	return "it is reached over TLS, but does not answer: " + err.Error(),
		"if it wants a client's certificate, set etcd.ssl.tlsCert and etcd.ssl.tlsKey; else look into that member's log"
}
