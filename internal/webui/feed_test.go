package webui

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// pipes is a listener of connections that hold nothing: what is not read cannot be written.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestAViewerThatTakesNothing is dropped, and holds up neither the feed nor another viewer.
func TestAViewerThatTakesNothing(t *testing.T) {
	s := newStage(t, nil)
	s.process(1, true)
	listener, ended := make(pipes), make(chan struct{})
	server := &http.Server{Handler: s.ui}
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	mine, theirs := net.Pipe()
	listener <- theirs
	_, err := mine.Write([]byte("GET /webui/events HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.viewers() == 1 }, time.Minute, time.Millisecond)
	events, stop := s.viewer()
	for range 3 {
		wait(t, events, "beat")
	}
	require.Equal(t, 2, s.viewers())
	require.Eventually(t, func() bool { return s.viewers() == 1 }, time.Minute, 10*time.Millisecond)
	wait(t, events, "beat")
	stop()
	_ = server.Close()
	<-ended
	_ = mine.Close()
}

func (s *stage) viewers() int {
	s.ui.feed.life.Lock()
	defer s.ui.feed.life.Unlock()
	return s.ui.feed.viewers
}

// TestAPanicIsThePagesOwn checks that a page that cannot be made ends the feed and not the process.
func TestAPanicIsThePagesOwn(t *testing.T) {
	s := newStage(t, nil)
	core, logged := observer.New(zap.ErrorLevel)
	f := newFeed(s.ui.feed.source, func(picture) []fragment { panic("broken") }, zap.New(core))
	leave, ok := f.enter()
	require.True(t, ok)
	require.Eventually(t, func() bool { return logged.Len() == 1 }, time.Minute, time.Millisecond)
	leave()
}

// TestViewersComeAndGo is for the race detector.
func TestViewersComeAndGo(t *testing.T) {
	s := newStage(t, nil)
	s.process(1, true)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				if leave, ok := s.ui.feed.enter(); ok {
					s.ui.feed.settle(ctx, time.Minute)
					s.ui.feed.latest()
					leave()
				}
				cancel()
			}
		})
	}
	all.Wait()
	require.Zero(t, s.viewers())
}

// FuzzEvents checks that nothing in a fragment makes it more than one event, or another one.
func FuzzEvents(f *testing.F) {
	for _, text := range []string{"", "\n", "a\nb\n", "a\rdata: b", "\r\n\r\nevent: roles\r\ndata: x", "\n\n", ": x", "é\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var out bytes.Buffer
		fragment{name: "roles", html: text}.writeTo(&out)
		require.NotContains(t, out.String(), "\r")
		events := make(chan event, 1000+strings.Count(out.String(), "\n"))
		read(out.Read, events)
		require.Len(t, events, 1)
		require.Equal(t, event{"roles", lineEnds.Replace(text)}, <-events)
	})
}
