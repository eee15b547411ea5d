package webui

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

const (
	maxForm           = 4 << 10 // bytes
	switchPatience    = 30 * time.Second
	etcdPatience      = 5 * time.Second
	longestPause      = 7 * 24 * time.Hour
	switchAskPatience = 2 * time.Second // one question to a process during a switchover
)

// errForm is a request that the page does not send.
type errForm string

func (e errForm) Error() string { return string(e) }

// action does what a form asks for a role, and says what was done.
type action func(ctx context.Context, r *http.Request, role string) (string, error)

func (u *UI) routeActions() {
	for name, do := range map[string]action{"switchover": u.switchover, "pause": u.pause, "resume": u.resume} {
		u.mux.HandleFunc("POST /webui/"+name, func(w http.ResponseWriter, r *http.Request) { u.act(w, r, name, do) })
	}
}

// act checks where a request comes from, does it, logs it, and shows what has become of it.
func (u *UI) act(w http.ResponseWriter, r *http.Request, name string, do action) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := u.trusted(r); err != nil {
		u.deps.Logger.Warn("refused a request of the status page", zap.String("action", name), zap.String("by", r.RemoteAddr), zap.Error(err))
		render(w, http.StatusForbidden, outcome("Refused", err.Error()))
		return
	}
	role := r.PostForm.Get("role")
	said, err := "", error(errForm("there is no role "+strconv.Quote(role)))
	if slices.Contains(u.cfg.Roles, role) {
		said, err = do(r.Context(), r, role)
	}
	u.deps.Logger.Warn("asked for on the status page", zap.String("action", name), zap.String("role", role),
		zap.String("by", r.RemoteAddr), zap.String("outcome", said), zap.Error(err))
	var refused *haview.RefusedError
	var form errForm
	switch {
	case err == nil:
		render(w, http.StatusOK, outcome("Done", said))
	case errors.As(err, &form):
		render(w, http.StatusBadRequest, outcome("Not understood", err.Error()))
	case errors.As(err, &refused):
		render(w, http.StatusConflict, outcome("Refused: nothing has happened", err.Error()))
	default:
		render(w, http.StatusBadGateway, outcome("Failed", err.Error()))
	}
}

// trusted tells whether a person has sent a form of this page: see the package's comment.
func (u *UI) trusted(r *http.Request) error {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		return errors.New("the request comes from another site")
	}
	if !u.isMe(r.Host) {
		return fmt.Errorf("actions are taken only on a page that was opened by IP address, as localhost or as %s, not as %s", u.cfg.HostName, r.Host)
	}
	if err := r.ParseForm(); err != nil {
		return errors.New("the form cannot be read")
	}
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("token")), []byte(u.token)) != 1 {
		return errors.New("the form is not of this page, or from before this process was started: load the page again")
	}
	return nil
}

// isMe tells whether a Host header is a name that nobody else can make resolve to this process.
func (u *UI) isMe(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	return net.ParseIP(name) != nil || strings.EqualFold(name, "localhost") || u.cfg.HostName != "" && strings.EqualFold(name, u.cfg.HostName)
}

func (u *UI) switchover(ctx context.Context, r *http.Request, role string) (string, error) {
	to := int64(0)
	if text := r.PostForm.Get("to"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return "", errForm("to is not a ServerID: " + strconv.Quote(text))
		}
		to = n
	}
	ctx, cancel := context.WithTimeout(ctx, switchPatience)
	defer cancel()
	patient := *u.reader
	patient.Patience = switchAskPatience
	done, err := patient.Switch(ctx, role, to)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %d handed over to %d, nobody served for %s", role, done.From, done.To, took(done.Gap)), nil
}

func (u *UI) pause(ctx context.Context, r *http.Request, role string) (string, error) {
	length, err := parsePause(r.PostForm.Get("for"))
	if err != nil {
		return "", err
	}
	m := sessionutil.Maintenance{By: "the status page, from " + r.RemoteAddr, At: time.Now()}
	until := "until it is resumed"
	if length > 0 {
		m.Until = m.At.Add(length)
		until = "until " + m.Until.Local().Format(time.DateTime)
	}
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	if err := sessionutil.PauseTakeovers(ctx, u.deps.Client, u.cfg.MetaRoot, role, m); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: nobody takes over by itself %s", role, until), nil
}

// parsePause reads a length such as 30m; nothing is 0, for ever.
func parsePause(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	length, err := time.ParseDuration(text)
	if err != nil || length < time.Second || length > longestPause {
		return 0, errForm("for is not a length of time from 1s to 168h: " + strconv.Quote(text))
	}
	return length, nil
}

func (u *UI) resume(ctx context.Context, _ *http.Request, role string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	was, err := sessionutil.ResumeTakeovers(ctx, u.deps.Client, u.cfg.MetaRoot, role)
	if err != nil {
		return "", err
	}
	if !was {
		return role + ": was not paused", nil
	}
	return role + ": standbys take over again", nil
}
