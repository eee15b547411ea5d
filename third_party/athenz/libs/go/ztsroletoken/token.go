// Package ztsroletoken takes the place of Athenz', like zmssvctoken beside it.
package ztsroletoken

import (
	"time"

	"github.com/AthenZ/athenz/libs/go/zmssvctoken"
)

// RoleToken is what a login shows; there are none.
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

// NewRoleToken makes a token that always fails.
func NewRoleToken(zmssvctoken.Token, string, RoleTokenOptions) RoleToken { return leftOut{} }

// NewRoleTokenFromCert makes a token that always fails.
func NewRoleTokenFromCert(_, _, _ string, _ RoleTokenOptions) RoleToken { return leftOut{} }

type leftOut struct{}

func (leftOut) RoleTokenValue() (string, error) { return "", zmssvctoken.ErrLeftOut }
func (leftOut) StartPrefetcher() error          { return zmssvctoken.ErrLeftOut }
func (leftOut) StopPrefetcher() error           { return nil }
