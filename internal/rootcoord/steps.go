package rootcoord

import (
	"sync"
	"time"

	"github.com/milvus-coord/milvus/internal/coord"
)

// steps measures the parts of an activation, some of which run at the same time.
type steps struct {
	mu   sync.Mutex
	done []coord.Step
}

func (s *steps) time(name string, work func() error) func() error {
	return func() error {
		began := time.Now()
		err := work()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done = append(s.done, coord.Step{Name: name, Took: time.Since(began)})
		return err
	}
}

func (s *steps) list() []coord.Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}
