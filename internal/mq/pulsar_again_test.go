//go:build !race

package mq

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPulsarIsFoundAgain is not for the race detector: Pulsar's library, v0.19.0, writes its producer's name and topic epoch
// when it comes back, while it reads them for a message. What it writes is what stands there.
func TestPulsarIsFoundAgain(t *testing.T) {
	b := startPulsar(t)
	p := open(t, pulsarConfig(b.url()))
	_, err := p.Send(t.Context(), "dml_0", Message{Payload: []byte("x")})
	require.NoError(t, err)
	b.stop()
	b.start()
	_, err = p.Send(t.Context(), "dml_0", Message{Payload: []byte("y")})
	require.NoError(t, err)
	stored := b.messages("persistent://public/default/dml_0")
	require.Equal(t, []byte("y"), stored[len(stored)-1].payload)
}
