package webui

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/etcdutil"
	"github.com/milvus-coord/milvus/internal/haview"
	"github.com/milvus-coord/milvus/internal/opshttp"
	"github.com/milvus-coord/milvus/internal/webui/markup"
)

// Config is what the page is about.
type Config struct {
	Cluster  string   // its name to people: the root path in etcd
	MetaRoot string   // where its sessions are
	Roles    []string // in the order in which they are shown
	HostName string   // of this process
	Version  string   // of this binary
	// Status lists the roles of this process. It must not block.
	Status func() []opshttp.RoleStatus
	// Actions allows switchover, pause and resume.
	Actions bool
}

// Deps are whom it asks. The caller closes them, after the server that serves the page has ended.
type Deps struct {
	Client  *clientv3.Client
	Members *etcdutil.Members
	Logger  *zap.Logger
}

// Bounds of what a viewer and a look may cost.
const (
	maxViewers    = 32
	firstPatience = 80 * time.Millisecond // a page that is opened waits this long to be complete
	writePatience = 5 * time.Second       // a viewer that takes nothing for so long is dropped
	askPatience   = time.Second           // one question to a process or to etcd
	lookEvery     = time.Second
	healthEvery   = 5 * time.Second
)

//go:embed assets/app.js assets/icon.svg assets/style.css
var assets embed.FS

// policy lets a page load what this server serves, and nothing else; no page may frame it.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// UI serves the page and all that belongs to it under /webui/. It is safe for concurrent use.
type UI struct {
	cfg    Config
	deps   Deps
	mux    *http.ServeMux
	feed   *feed
	reader *haview.Reader
	token  string // in the page's forms
}

// New makes a UI. Nothing is asked before somebody looks.
func New(cfg Config, deps Deps) (*UI, error) {
	transport := &http.Transport{ // through no proxy: coordinators are near
		DialContext:         (&net.Dialer{Timeout: askPatience}).DialContext,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: 10 * lookEvery,
	}
	u := &UI{
		cfg: cfg, deps: deps, token: rand.Text(), mux: http.NewServeMux(),
		reader: &haview.Reader{
			Client: deps.Client, MetaRoot: cfg.MetaRoot, Roles: cfg.Roles, Patience: askPatience,
			HTTP: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		},
	}
	u.feed = newFeed(source{reader: u.reader, members: deps.Members, every: lookEvery}, u.fragments, deps.Logger)
	return u, u.route()
}

func (u *UI) route() error {
	u.mux.HandleFunc("GET /webui/{$}", u.page)
	u.mux.HandleFunc("GET /webui/events", u.events)
	for name, kind := range map[string]string{
		"style.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		body, err := fs.ReadFile(assets, "assets/"+name)
		if err != nil {
			return fmt.Errorf("parts of the status page: %w", err)
		}
		u.mux.HandleFunc("GET /webui/"+name, asset(body, kind))
	}
	if u.cfg.Actions {
		u.routeActions()
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (u *UI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	u.mux.ServeHTTP(w, r)
}

// asset serves a part that is the same until the binary is another.
func asset(body []byte, kind string) http.HandlerFunc {
	sum := sha256.Sum256(body)
	tag := strconv.Quote(hex.EncodeToString(sum[:8]))
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache") // it is asked for again, and is then mostly "not modified"
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}
}

// page sends the state as it is known, after a moment in which it may become complete.
func (u *UI) page(w http.ResponseWriter, r *http.Request) {
	if leave, ok := u.feed.enter(); ok {
		defer leave()
		u.feed.settle(r.Context(), firstPatience)
	} // else there are viewers enough to keep it up to date
	render(w, http.StatusOK, u.document(u.feed.latest()))
}

// render sends all of a document before the handler ends.
func render(w http.ResponseWriter, code int, document markup.Node) {
	body := document.String()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = io.WriteString(w, body)            // a viewer that is gone needs no answer
	_ = http.NewResponseController(w).Flush() // likewise
}

// events sends the state, and then what changes of it, until the viewer or the server is gone.
func (u *UI) events(w http.ResponseWriter, r *http.Request) {
	leave, ok := u.feed.enter()
	if !ok {
		w.Header().Set("Retry-After", "5")
		http.Error(w, fmt.Sprintf("%d viewers are served, and not more", maxViewers), http.StatusServiceUnavailable)
		return
	}
	defer leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy is to pass events on at once
	control := http.NewResponseController(w)
	for seen := uint64(0); ; {
		news, changed := u.feed.since(seen)
		var out bytes.Buffer
		for _, f := range news {
			f.writeTo(&out)
			seen = max(seen, f.version)
		}
		_ = control.SetWriteDeadline(time.Now().Add(writePatience)) // a recorder in a test has none
		if _, err := w.Write(out.Bytes()); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// title is what a browser's tab says.
func (u *UI) title(verdict string) string { return verdict + " · " + cmp.Or(u.cfg.Cluster, "Milvus") }
