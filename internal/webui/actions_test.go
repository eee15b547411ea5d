package webui

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// form is a request as the page sends it, unless change makes it another one.
func (s *stage) form(path string, values url.Values, change func(*http.Request)) (int, string) {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "http://10.0.0.1:9091/webui/"+path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "http://10.0.0.1:9091")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.ui.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (s *stage) values(more ...string) url.Values {
	v := url.Values{"token": {s.ui.token}, "role": {"rootcoord"}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return v
}

func (s *stage) paused() *sessionutil.Maintenance {
	s.t.Helper()
	_, seen, err := sessionutil.Observe(s.t.Context(), s.client, root, []string{"rootcoord"})
	require.NoError(s.t, err)
	return seen[0].Paused
}

func TestWithoutActionsThereIsNoRoute(t *testing.T) {
	s := newStage(t, nil)
	for _, path := range []string{"switchover", "pause", "resume", "", "events", "style.css"} {
		code, _ := s.form(path, s.values(), nil)
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, code, path)
	}
	require.Nil(t, s.paused())
}

func TestActions(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Actions = true })
	s.process(1, true)
	events, stop := s.viewer()
	defer stop()
	wait(t, events, "roles", `action="pause"`, s.ui.token, "No standby is fit")

	code, page := s.form("pause", s.values("for", "30m"), nil)
	require.Equal(t, 200, code, page)
	require.Contains(t, page, "rootcoord: nobody takes over by itself until 20")
	m := s.paused()
	require.Equal(t, "the status page, from 192.0.2.1:1234", m.By)
	require.WithinDuration(t, time.Now().Add(30*time.Minute), m.Until, 5*time.Minute)
	wait(t, events, "roles", `action="resume"`, "takeovers paused until")
	logged := s.logged.FilterMessage("asked for on the status page").All()
	require.Len(t, logged, 1)
	require.Equal(t, "192.0.2.1:1234", logged[0].ContextMap()["by"])
	require.Equal(t, "pause", logged[0].ContextMap()["action"])

	code, page = s.form("resume", s.values(), nil)
	require.Equal(t, 200, code)
	require.Contains(t, page, "rootcoord: standbys take over again")
	_, page = s.form("resume", s.values(), nil)
	require.Contains(t, page, "was not paused")
	code, page = s.form("pause", s.values("for", ""), nil)
	require.Equal(t, 200, code)
	require.Contains(t, page, "until it is resumed")
	require.True(t, s.paused().Until.IsZero())

	code, page = s.form("switchover", s.values("to", ""), nil)
	require.Equal(t, http.StatusConflict, code)
	require.Contains(t, page, "no switchover of rootcoord: there is no standby")
	for _, v := range []url.Values{
		s.values("to", "x"), s.values("to", "-1"), s.values("role", "proxy"), s.values("role", ""), s.values("role", "rootcoord/x"),
	} {
		code, _ = s.form("switchover", v, nil)
		require.Equal(t, http.StatusBadRequest, code, v)
	}
	for _, length := range []string{"0s", "-1m", "1y", "1000h", "30"} {
		code, _ = s.form("pause", s.values("for", length), nil)
		require.Equal(t, http.StatusBadRequest, code, length)
	}
	got, _ := s.get("/webui/pause")
	require.Equal(t, http.StatusMethodNotAllowed, got.StatusCode)

	s.etcd.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	code, page = s.form("resume", s.values(), func(r *http.Request) { *r = *r.WithContext(ctx) })
	require.Equal(t, http.StatusBadGateway, code)
	require.Contains(t, page, "resume takeovers")
}

// TestForgedRequests sends what another site can make a browser send.
func TestForgedRequests(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Actions = true })
	for name, tc := range map[string]struct {
		token  string
		change func(*http.Request)
		code   int
	}{
		"as it should be": {s.ui.token, nil, 200},
		"no token":        {"", nil, 403},
		"another token":   {strings.Repeat("A", len(s.ui.token)), nil, 403},
		"another site":    {s.ui.token, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"a site beside":   {s.ui.token, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		"an old browser":  {s.ui.token, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, 200},
		"another origin":  {s.ui.token, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http://evil") }, 403},
		"a name that was rebound": {s.ui.token, func(r *http.Request) {
			r.Host = "evil.example:9091"
			r.Header.Set("Origin", "http://evil.example:9091")
		}, 403},
		"this host's name":     {s.ui.token, func(r *http.Request) { r.Host = "HERE:9091"; r.Header.Set("Origin", "http://HERE:9091") }, 200},
		"localhost":            {s.ui.token, func(r *http.Request) { r.Host = "localhost"; r.Header.Set("Origin", "http://localhost") }, 200},
		"IPv6":                 {s.ui.token, func(r *http.Request) { r.Host = "[::1]:9091"; r.Header.Set("Origin", "http://[::1]:9091") }, 200},
		"token in the address": {"", func(r *http.Request) { r.URL.RawQuery = "token=" + s.ui.token }, 403},
		"too much":             {strings.Repeat("A", 1<<20), nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			code, page := s.form("pause", s.values("token", tc.token), tc.change)
			require.Equal(t, tc.code, code, page)
			if code == 200 {
				require.NotNil(t, s.paused())
			} else {
				require.Nil(t, s.paused())
			}
			_, err := sessionutil.ResumeTakeovers(t.Context(), s.client, root, "rootcoord")
			require.NoError(t, err)
		})
	}
	require.NotEmpty(t, s.logged.FilterMessage("refused a request of the status page").All())
}
