package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// portUse is a port of the configuration, and whether it can be listened on.
type portUse struct {
	Port
	err error
}

func (e *exam) tryPorts(ctx context.Context) {
	for _, p := range e.Ports {
		use := portUse{Port: p}
		if p.Number != 0 {
			listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":"+strconv.Itoa(p.Number))
			if err == nil {
				err = listener.Close()
			}
			use.err = err
		}
		e.ports = append(e.ports, use)
	}
}

func ports(e *exam) []Finding {
	var all []Finding
	for _, p := range e.ports {
		what := "port " + p.Key
		holder := e.holderOf(p.Number)
		switch {
		case p.Number == 0:
			all = append(all, one(OK, what, "", "any free one")...)
		case p.err == nil:
			all = append(all, one(OK, what, "", "%d is free", p.Number)...)
		case !errors.Is(p.err, syscall.EADDRINUSE):
			all = append(all, one(Fail, what, "choose another one, or allow it", "%d cannot be listened on: %v", p.Number, p.err)...)
		case holder != "":
			all = append(all, one(OK, what, "", "%d is held by %s", p.Number, holder)...)
		case p.ByHand || p.Key != "common.metricsPort":
			all = append(all, one(Fail, what, "end that program, or change "+p.Key, "%d is held by another program, which is no coordinator of this cluster", p.Number)...)
		default:
			all = append(all, one(Warn, what, "nothing, if that is meant: the next free port is taken", "%d is held by another program", p.Number)...)
		}
	}
	return all
}

// holderOf names the coordinator on this host that says that it listens on a port; empty if none does.
func (e *exam) holderOf(port int) string {
	for _, r := range e.view.Roles {
		for _, m := range r.Members {
			if m.Host == e.HostName && (portOf(m.Address) == port || portOf(m.HTTP) == port) {
				return fmt.Sprintf("%s %d, process %d", r.Name, m.ServerID, m.PID)
			}
		}
	}
	return ""
}

func portOf(address string) int {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}

// clockReading is how far another host's clock is ahead of this one's.
type clockReading struct {
	who   string
	ahead time.Duration
	doubt time.Duration // either way
	err   error
}

// readClocks asks every coordinator, and every etcd endpoint that speaks plain HTTP, for the time.
func (e *exam) readClocks(ctx context.Context) {
	ask := map[string]string{}
	for _, r := range e.view.Roles {
		for _, m := range r.Members {
			if m.HTTP != "" {
				ask["http://"+m.HTTP+"/livez"] = m.Host
			}
		}
	}
	if !e.Etcd.TLS.Enabled {
		for _, p := range e.endpoints {
			if p.err == nil {
				ask["http://"+p.address+"/version"] = "etcd " + p.address
			}
		}
	}
	var mu sync.Mutex
	var asked sync.WaitGroup
	for url, who := range ask {
		asked.Go(func() {
			c := e.readClock(ctx, url)
			c.who = who
			mu.Lock()
			defer mu.Unlock()
			e.clocks = append(e.clocks, c)
		})
	}
	asked.Wait()
}

// readClock takes the time from the Date of an answer, which is in whole seconds and was written somewhere between
// question and answer.
func (e *exam) readClock(ctx context.Context, url string) clockReading {
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return clockReading{err: err}
	}
	began := time.Now()
	resp, err := e.HTTP.Do(req)
	if err != nil {
		return clockReading{err: err}
	}
	took := time.Since(began)
	_ = resp.Body.Close() // nobody reads it
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return clockReading{err: err}
	}
	const half = time.Second / 2 // what the cut to whole seconds hides, either way
	return clockReading{ahead: date.Add(half).Sub(began.Add(took / 2)), doubt: half + took/2}
}

// clockOff is from when clocks that differ are worth a word. Nothing breaks: timestamps go on above those of the last
// active one, and stand still until the clock has caught up.
const clockOff = time.Second

func clocks(e *exam) []Finding {
	var all []Finding
	compared := 0
	for _, c := range e.clocks {
		if c.err != nil {
			continue // who does not answer is named elsewhere
		}
		compared++
		if off := c.ahead.Abs() - c.doubt; off > clockOff {
			direction := "ahead of"
			if c.ahead < 0 {
				direction = "behind"
			}
			all = append(all, one(Warn, "clock", "synchronise the clocks: run an NTP client on every host",
				"that of %s is some %s %s this host's", c.who, c.ahead.Abs().Round(time.Second), direction)...)
		}
	}
	switch {
	case len(all) > 0:
		return all
	case compared == 0:
		return one(OK, "clock", "", "no other one to compare it with")
	}
	return one(OK, "clock", "", "within a second or two of %d others", compared)
}
