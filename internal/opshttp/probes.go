package opshttp

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

const (
	contentType = "Content-Type"
	jsonType    = "application/json"
	textType    = "text/plain; charset=utf-8"
)

// probes answers questions about health.
type probes struct {
	status func() []RoleStatus
}

// health is Milvus' JSON.
type health struct {
	State  string       `json:"state"`
	Detail []healthRole `json:"detail"`
}

type healthRole struct {
	Name string `json:"name"`
	Code int32  `json:"code"`
}

// healthz is answered as Milvus does, in text or, if the request says that it is itself JSON, in JSON; either is called
// text/plain. Unlike Milvus it fails until every role is registered: before, nothing of the process can be found.
func (p probes) healthz(w http.ResponseWriter, r *http.Request) {
	roles := p.status()
	answer, healthy := health{State: "OK", Detail: []healthRole{}}, 0
	for _, role := range roles {
		answer.Detail = append(answer.Detail, healthRole{Name: role.Name, Code: int32(role.State)})
		if role.serving() {
			healthy++
		}
	}
	code := http.StatusOK
	if healthy != len(roles) || healthy == 0 {
		code = http.StatusInternalServerError
		answer.State = fmt.Sprintf("Not all components are healthy, %d/%d", healthy, len(roles))
	}
	body := []byte(answer.State)
	if r.Header.Get(contentType) == jsonType {
		body = encode(answer)
	}
	write(w, code, textType, body)
}

func livez(w http.ResponseWriter, _ *http.Request) {
	write(w, http.StatusOK, textType, []byte("OK"))
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready bool            `json:"ready"`
	Roles []readinessRole `json:"roles"`
}

type readinessRole struct {
	Role       string `json:"role"`
	Ready      bool   `json:"ready"`
	State      string `json:"state"`
	ServerID   int64  `json:"serverID"`
	Registered bool   `json:"registered"`
	Loaded     bool   `json:"loaded"`
}

// readyz says whether the process does or could do its work at once.
func (p probes) readyz(w http.ResponseWriter, _ *http.Request) {
	roles := p.status()
	answer := readiness{Ready: len(roles) > 0, Roles: []readinessRole{}}
	for _, role := range roles {
		ready := role.ready()
		answer.Ready = answer.Ready && ready
		answer.Roles = append(answer.Roles, readinessRole{
			Role: role.Name, Ready: ready, State: role.state().String(), ServerID: role.ServerID,
			Registered: role.Registered, Loaded: role.Loaded,
		})
	}
	code := http.StatusOK
	if !answer.Ready {
		code = http.StatusServiceUnavailable
	}
	write(w, code, jsonType, encode(answer))
}

// checkReady is Milvus' probe for the active one: a standby fails it.
func (p probes) checkReady(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("role")
	reason := "no role " + name + " in this process"
	if name == "" {
		reason = "role is missing"
	}
	for _, role := range p.status() {
		if role.Name != name {
			continue
		}
		if role.Registered && role.state() == commonpb.StateCode_Healthy {
			write(w, http.StatusOK, textType, []byte(`{"msg": "OK"}`))
			return
		}
		reason = fmt.Sprintf("%s is %s", name, role.state())
	}
	msg := struct {
		Msg string `json:"msg"`
	}{"failed to check component ready, " + reason}
	write(w, http.StatusInternalServerError, textType, encode(msg))
}

// encode cannot fail: what it is given are strings, numbers and lists of them.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func write(w http.ResponseWriter, code int, kind string, body []byte) {
	w.Header().Set(contentType, kind)
	w.WriteHeader(code)
	_, _ = w.Write(body) // a prober that is gone needs no answer
}
