package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/milvus-coord/milvus/internal/clustertest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"milvus": func() {
			ctx, stop := notifyContext(context.Background())
			defer stop()
			os.Exit(run(ctx, os.Args[1:]))
		},
	})
}

func TestScripts(t *testing.T) {
	etcd := clustertest.StartEtcd(t)
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("ETCD_ENDPOINTS", strings.Join(etcd.Endpoints(), ","))
			// Scripts share an etcd, not a cluster.
			env.Setenv("ETCD_ROOT_PATH", "cluster"+strconv.Itoa(os.Getpid())+"-"+fmt.Sprint(len(env.WorkDir))+env.WorkDir[strings.LastIndex(env.WorkDir, "/")+1:])
			env.Setenv("METRICS_PORT", "0")
			for _, role := range []string{"ROOT", "DATA", "QUERY"} {
				env.Setenv(role+"_COORD_PORT", "0")
			}
			env.Setenv("TAKEN_PORT", port)
			env.Setenv("FREE_PORT", strconv.Itoa(clustertest.FreePort(t)))
			env.Setenv("MILVUS_RUN_DIR", env.WorkDir+"/run")
			return nil
		},
	})
}
