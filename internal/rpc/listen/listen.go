// Package listen opens a port, and when it cannot, says which setting to change.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"unicode"
)

// Setting names where a port comes from.
type Setting struct {
	Key string // as in milvus.yaml: rootCoord.port
	Env string // the variable of the same meaning; made from Key if empty
}

// Error says that a port cannot be listened on and what to do about it.
type Error struct {
	Address string // host:port; without a host it is every address of this machine
	Setting Setting
	Err     error // as the system reported it
}

// Error names the port and the setting.
func (e *Error) Error() string {
	if e.Taken() {
		return fmt.Sprintf("%s is already in use by another process; stop it or choose another port with %s in milvus.yaml or %s in the environment",
			e.Address, e.Setting.Key, e.Setting.Env)
	}
	return fmt.Sprintf("cannot listen on %s (%v); choose another port with %s in milvus.yaml or %s in the environment",
		e.Address, e.Err, e.Setting.Key, e.Setting.Env)
}

// Unwrap is the system's error.
func (e *Error) Unwrap() error { return e.Err }

// Taken tells whether another process holds the port.
func (e *Error) Taken() bool { return errors.Is(e.Err, syscall.EADDRINUSE) }

// TCP listens on host and port; port 0 is any free one, an empty host is every address. Its error is an [*Error].
func TCP(ctx context.Context, host string, port int, setting Setting) (net.Listener, error) {
	if setting.Env == "" {
		setting.Env = envName(setting.Key)
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, &Error{Address: address, Setting: setting, Err: err}
	}
	return listener, nil
}

// envName spells a key as Milvus' environment variables are usually spelled: rootCoord.port is ROOT_COORD_PORT.
func envName(key string) string {
	var b strings.Builder
	for i, r := range key {
		switch {
		case r == '.' || r == '/':
			b.WriteByte('_')
		case unicode.IsUpper(r) && i > 0:
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			b.WriteRune(unicode.ToUpper(r))
		}
	}
	return b.String()
}
