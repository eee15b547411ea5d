package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// newReady is for scripts and container health checks on machines without curl. A standby is ready; what is not is a process
// that is not registered in etcd or has not loaded its tables.
func newReady() *cobra.Command {
	var address string
	var wait time.Duration
	var active bool
	c := &cobra.Command{
		Use: "ready [ROLE]", Short: "Exit with 0 when a coordinator is ready", Hidden: true, Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "/readyz"
			if active {
				if err := oneRole(cmd, args); err != nil {
					return err
				}
				path = "/management/check/ready?role=" + args[0]
			}
			if address == "" {
				var err error
				if address, err = ownHTTP(); err != nil {
					return err
				}
			}
			url := "http://" + address + path
			ctx, cancel := context.WithTimeout(cmd.Context(), max(wait, time.Second))
			defer cancel()
			for {
				err := ask(ctx, url)
				if err == nil {
					return nil
				}
				if wait == 0 || ctx.Err() != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return err
				case <-time.After(50 * time.Millisecond):
				}
			}
		},
	}
	c.Flags().StringVar(&address, "http", "", "address of the coordinator's HTTP port; by default the configured one of this machine")
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait for it")
	c.Flags().BoolVar(&active, "active", false, "a standby is not enough")
	return c
}

// ownHTTP is where a process of this configuration answers operators.
func ownHTTP() (string, error) {
	cfg, _, err := loadConfig()
	if err != nil {
		return "", err
	}
	if cfg.HTTP.Port == 0 {
		return "", usagef("common.metricsPort is 0, any free port: name the one that was taken with --http")
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.HTTP.Port)), nil
}

func ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
