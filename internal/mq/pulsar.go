package mq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	pulsarlog "github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
)

// PulsarConfig says how Pulsar is reached; the fields are Milvus' pulsar.* keys.
type PulsarConfig struct {
	URL        string // pulsar://host:port
	Tenant     string
	Namespace  string
	AuthPlugin string
	AuthParams string
}

// pulsarProducer has one producer of the library's for each channel, made when it is first sent to.
type pulsarProducer struct {
	client  pulsar.Client
	cfg     PulsarConfig
	timeout time.Duration

	sending sync.WaitGroup

	mu       sync.Mutex
	channels map[string]*pulsarChannel
}

// pulsarChannel is locked while its producer is being made.
type pulsarChannel struct {
	making   chan struct{} // one element: nobody is making it
	producer pulsar.Producer
}

func openPulsar(cfg Config, logger *zap.Logger) (Producer, error) {
	opts := pulsar.ClientOptions{
		URL: cfg.Pulsar.URL, OperationTimeout: cfg.Timeout, ConnectionTimeout: cfg.Timeout,
		Logger:            pulsarlog.DefaultNopLogger(),     // what goes wrong is in the errors
		MetricsRegisterer: prometheus.NewPedanticRegistry(), // not among ours
	}
	if cfg.Pulsar.AuthPlugin != "" {
		if strings.Contains(strings.ToLower(cfg.Pulsar.AuthPlugin), "athenz") { // docs/adr/0005
			return nil, fmt.Errorf("pulsar.authPlugin: %q is not built in; token, tls, basic and oauth2 are", cfg.Pulsar.AuthPlugin)
		}
		auth, err := pulsar.NewAuthentication(cfg.Pulsar.AuthPlugin, cfg.Pulsar.AuthParams)
		if err != nil {
			return nil, fmt.Errorf("pulsar.authPlugin: %w", err)
		}
		opts.Authentication = auth
	}
	client, err := pulsar.NewClient(opts)
	if err != nil {
		return nil, fmt.Errorf("pulsar.address: %w", err)
	}
	logger.Info("messages go to Pulsar", zap.String("address", cfg.Pulsar.URL))
	return &pulsarProducer{client: client, cfg: cfg.Pulsar, timeout: cfg.Timeout, channels: map[string]*pulsarChannel{}}, nil
}

// Send implements Producer.
func (p *pulsarProducer) Send(ctx context.Context, channel string, m Message) ([]byte, error) {
	bound, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	type outcome struct {
		id  pulsar.MessageID
		err error
	}
	done := make(chan outcome, 1)
	p.sending.Go(func() { // the library does not look at the context while it connects
		id, err := p.send(bound, channel, m)
		done <- outcome{id, err}
	})
	var got outcome
	select {
	case got = <-done:
	case <-bound.Done():
		got.err = bound.Err()
	}
	switch {
	case got.err == nil:
		return got.id.Serialize(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("send to %s: %w", channel, errors.Join(context.Cause(ctx), got.err))
	case errors.Is(got.err, pulsar.ErrMessageTooLarge):
		return nil, refused(Pulsar, channel, got.err)
	}
	return nil, unavailable(Pulsar, channel, got.err)
}

func (p *pulsarProducer) send(ctx context.Context, channel string, m Message) (pulsar.MessageID, error) {
	producer, err := p.producer(ctx, channel)
	if err != nil {
		return nil, err
	}
	return producer.Send(ctx, &pulsar.ProducerMessage{Payload: m.Payload, Properties: m.Properties})
}

// producer finds or makes the producer of a channel.
func (p *pulsarProducer) producer(ctx context.Context, channel string) (pulsar.Producer, error) {
	p.mu.Lock()
	c := p.channels[channel]
	if c == nil {
		c = &pulsarChannel{making: make(chan struct{}, 1)}
		c.making <- struct{}{}
		p.channels[channel] = c
	}
	p.mu.Unlock()
	select {
	case <-c.making:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { c.making <- struct{}{} }()
	if c.producer != nil {
		return c.producer, nil
	}
	made, err := p.client.CreateProducer(pulsar.ProducerOptions{
		Topic:           fmt.Sprintf("persistent://%s/%s/%s", p.cfg.Tenant, p.cfg.Namespace, channel),
		SendTimeout:     p.timeout,
		DisableBatching: true, // a batch's messages share one position
	})
	if err != nil {
		return nil, err
	}
	c.producer = made
	return made, nil
}

// pulsarFarewell bounds the closing of the client. Towards a broker that accepts connections and says nothing the library
// takes a minute for it, and nobody who stops wants to wait for that.
const pulsarFarewell = time.Second

// Close implements Producer.
func (p *pulsarProducer) Close() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		p.client.Close()
		p.sending.Wait()
	}()
	timer := time.NewTimer(pulsarFarewell)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
}
