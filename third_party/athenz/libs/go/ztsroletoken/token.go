// Package ztsroletoken stands in for Athenz' package of that name; see third_party/README.md.
package ztsroletoken

import (
	"time"

	"github.com/AthenZ/athenz/libs/go/zmssvctoken"
)

// RoleToken logs in.
type RoleToken interface {
	RoleTokenValue() (string, error)
	StartPrefetcher() error
	StopPrefetcher() error
}

// RoleTokenOptions are those that Pulsar's client sets.
type RoleTokenOptions struct {
	BaseZTSURL       string
	ProxyURL         string
	MinExpire        time.Duration
	MaxExpire        time.Duration
	PrefetchInterval time.Duration
	AuthHeader       string
	CACert           []byte
}

// NewRoleToken gives a token that fails.
func NewRoleToken(zmssvctoken.Token, string, RoleTokenOptions) RoleToken { return absent{} }

// NewRoleTokenFromCert gives a token that fails.
func NewRoleTokenFromCert(_, _, _ string, _ RoleTokenOptions) RoleToken { return absent{} }

type absent struct{}

func (absent) RoleTokenValue() (string, error) { return "", zmssvctoken.ErrAbsent }
func (absent) StartPrefetcher() error          { return zmssvctoken.ErrAbsent }
func (absent) StopPrefetcher() error           { return zmssvctoken.ErrAbsent }
