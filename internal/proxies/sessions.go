package proxies

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// sessions is the fleet as its follower sees it. The follower's goroutine alone changes the members.
type sessions Fleet

var _ metatable.State = (*sessions)(nil)

// Load implements metatable.State. A proxy that was there before keeps its connection.
func (s *sessions) Load(_ int64, all iter.Seq[metatable.KV]) func() {
	next := map[string]*member{}
	for kv := range all {
		s.read(next, s.members, kv)
	}
	return func() { s.replace(next) }
}

// Apply implements metatable.State.
func (s *sessions) Apply(_ int64, changes []metatable.KV) {
	next := maps.Clone(s.members)
	for _, kv := range changes {
		s.read(next, s.members, kv)
	}
	s.replace(next)
}

// read enters one key into next. before is who was there: the same session is the same member.
func (s *sessions) read(next, before map[string]*member, kv metatable.KV) {
	id, ours := idOf(s.cfg.MetaRoot, kv.Key)
	if !ours {
		return
	}
	delete(next, kv.Key)
	if kv.Deleted {
		return
	}
	address, err := addressOf(id, kv.Value)
	if err != nil {
		s.cfg.Logger.Warn("the session of a proxy makes no sense, the proxy is left out",
			zap.String("key", kv.Key), zap.Int64("revision", kv.ModRevision), zap.Error(err))
		return
	}
	if old := before[kv.Key]; old != nil && old.created == kv.CreateRevision && old.address == address {
		next[kv.Key] = old // it has written its session anew
		return
	}
	next[kv.Key] = newMember(id, address, kv.CreateRevision, s.cfg)
}

// replace makes next the members, and hangs up on those that are gone.
func (s *sessions) replace(next map[string]*member) {
	s.mu.Lock()
	before := s.members
	s.members = next
	if !sameIDs(before, next) {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.mu.Unlock()
	for key, m := range before {
		if next[key] != m {
			m.leave()
			s.cfg.Logger.Info("proxy left", zap.Int64("ServerID", m.id), zap.String("address", m.address))
		}
	}
	for key, m := range next {
		if before[key] != m {
			s.cfg.Logger.Info("proxy found", zap.Int64("ServerID", m.id), zap.String("address", m.address))
		}
	}
}

func sameIDs(a, b map[string]*member) bool {
	return maps.EqualFunc(a, b, func(*member, *member) bool { return true }) // a key names an id
}

// idOf is the server id in the key of a proxy's session, <metaRoot>/session/proxy-<id>. Other keys are not ours.
func idOf(metaRoot, key string) (int64, bool) {
	digits, ours := strings.CutPrefix(key, metaRoot+"/session/proxy-")
	if !ours {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil && strconv.FormatInt(id, 10) == digits
}

// addressOf reads what a session says about the proxy that its key names.
func addressOf(id int64, value []byte) (string, error) {
	session, err := sessionutil.ParseRecord(value)
	switch {
	case err != nil:
		return "", err
	case session.Address == "":
		return "", errors.New("no Address")
	case session.ServerID != id:
		return "", fmt.Errorf("it is the session of ServerID %d", session.ServerID)
	}
	return session.Address, nil
}
