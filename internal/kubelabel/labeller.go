package kubelabel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Values of the label.
const (
	active  = "active"
	standby = "standby"
)

// deletionCost tells Kubernetes which pod of several to remove last.
const deletionCost = "controller.kubernetes.io/pod-deletion-cost"

func stateLabel(role string) string     { return "milvus.io/" + role + "-state" }
func termAnnotation(role string) string { return "milvus.io/" + role + "-term" }

// Times of the talk with the API server.
const (
	resync       = 30 * time.Second // between two looks, if nothing changes
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 15 * time.Second
	farewell     = time.Second // for the last word of a process that ends
)

// Config is what a labeller needs to know.
type Config struct {
	Namespace string
	Pod       string   // this process'
	Roles     []string // of this process
	// Fellows selects the pods, in the syntax of a label selector, of which one is active in a role. The label is taken from
	// the others when this process becomes active. Empty: they are left alone.
	Fellows string
}

// Labeller keeps the labels of this process' pod. Safe for concurrent use.
type Labeller struct {
	cfg     Config
	api     *api
	logger  *zap.Logger
	changed chan struct{} // holds one: there is news

	mu    sync.Mutex
	terms map[string]int64 // by role; 0 is a standby
	last  map[string]int64 // by role: the last one that was not 0
}

// New makes a labeller of a process that is a standby in all its roles. It reads the API server's certificate and does no
// network I/O.
func New(cfg Config, access Access, logger *zap.Logger) (*Labeller, error) {
	client, err := newAPI(access, cfg.Namespace)
	if err != nil {
		return nil, err
	}
	l := &Labeller{
		cfg: cfg, api: client, logger: logger, changed: make(chan struct{}, 1),
		terms: map[string]int64{}, last: map[string]int64{},
	}
	for _, role := range cfg.Roles {
		l.terms[role] = 0
	}
	return l, nil
}

// Set says which term of a role this process serves; 0 if it does not. It returns at once.
func (l *Labeller) Set(role string, term int64) {
	l.mu.Lock()
	same := l.terms[role] == term
	l.terms[role] = term
	if term != 0 {
		l.last[role] = term
	}
	l.mu.Unlock()
	if same {
		return
	}
	select {
	case l.changed <- struct{}{}:
	default: // Run has not got to the last news yet, and will find these with it
	}
}

// Run keeps the labels until ctx ends, and then tries once more, for a second at most, so that what has been set at the
// end is seen.
func (l *Labeller) Run(ctx context.Context) {
	defer l.api.close()
	backoff := firstBackoff
	for {
		wait := resync
		if err := l.publish(ctx); err == nil {
			backoff = firstBackoff
		} else if ctx.Err() == nil {
			l.logger.Warn("cannot label this pod, trying again", zap.String("pod", l.cfg.Pod), zap.Duration("in", backoff), zap.Error(err))
			wait, backoff = backoff, min(2*backoff, lastBackoff)
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			l.sayFarewell(ctx)
			return
		}
		timer.Stop()
	}
}

func (l *Labeller) sayFarewell(ctx context.Context) {
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := l.publish(bound); err != nil {
		l.logger.Warn("cannot label this pod before it ends", zap.String("pod", l.cfg.Pod), zap.Error(err))
	}
}

// publish writes how it is, for this pod first.
func (l *Labeller) publish(ctx context.Context) error {
	l.mu.Lock()
	terms, last := maps.Clone(l.terms), maps.Clone(l.last)
	l.mu.Unlock()

	own := metadata{Labels: map[string]string{}, Annotations: map[string]string{}}
	serving := 0
	for role, term := range terms {
		own.Labels[stateLabel(role)] = standby
		if term != 0 {
			own.Labels[stateLabel(role)] = active
			serving++
		}
		if last[role] != 0 {
			own.Annotations[termAnnotation(role)] = strconv.FormatInt(last[role], 10)
		}
	}
	own.Annotations[deletionCost] = strconv.Itoa(serving)
	if err := l.api.patch(ctx, l.cfg.Pod, own); err != nil {
		return err
	}
	if l.cfg.Fellows == "" {
		return nil
	}
	var failed []error
	for _, role := range slices.Sorted(maps.Keys(terms)) {
		if terms[role] != 0 {
			failed = append(failed, l.demote(ctx, role, terms[role]))
		}
	}
	return errors.Join(failed...)
}

// demote takes the label from the pods that were active in earlier terms.
func (l *Labeller) demote(ctx context.Context, role string, term int64) error {
	pods, err := l.api.list(ctx, l.cfg.Fellows+","+stateLabel(role)+"="+active)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		// What cannot be read is 0: nobody's.
		its, _ := strconv.ParseInt(pod.Annotations[termAnnotation(role)], 10, 64)
		if pod.Name == l.cfg.Pod || its >= term {
			continue
		}
		err := l.api.patch(ctx, pod.Name, metadata{
			ResourceVersion: pod.ResourceVersion, Labels: map[string]string{stateLabel(role): standby},
		})
		var status *StatusError
		if errors.As(err, &status) && status.Code == http.StatusNotFound {
			continue // gone, and its label with it
		}
		if err != nil {
			return fmt.Errorf("take the label of %s from %s: %w", role, pod.Name, err)
		}
		l.logger.Info("took the label of the ACTIVE one from another pod", zap.String("role", role), zap.String("pod", pod.Name),
			zap.Int64("term", its))
	}
	return nil
}
