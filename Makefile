# Everything here needs Go and git alone. `make build` makes the programs, `make test` and `make e2e` use them.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
BUILT   ?= $(shell date -u +%Y-%m-%dT%H:%M:%SZ)
LDFLAGS  = -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.built=$(BUILT)
ETCD     = go.etcd.io/etcd
LINT     = bin/golangci-lint

.PHONY: build test e2e crash history webui-test check bench clean

build: bin/milvus bin/etcd bin/etcdctl ## the static binary, and etcd for machines that have none

.PHONY: bin/milvus
bin/milvus:
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/milvus

bin/etcd: tools/etcd/go.mod
	cd tools/etcd && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../$@ $(ETCD)/server/v3

bin/etcdctl: tools/etcd/go.mod
	cd tools/etcd && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o ../../$@ $(ETCD)/etcdctl/v3

test: bin/etcd ## unit, integration and command line tests, with the race detector
	go test -race -timeout 10m ./cmd/... ./internal/... ./test/history

e2e: build ## real processes, killed, paused and cut off
	go test -timeout 30m -count 1 ./test/failover

crash: build ## a RootCoord is killed at every step of every DDL
	go test -timeout 30m -count 1 -v -run TestCrashAtEveryPoint ./test/crash

RUNS ?= 200
history: build ## concurrent calls across takeovers are checked to be linearizable; and builds without a guard are found out
	RUNS=$(RUNS) go test -timeout 5h -count 1 -parallel 4 -v ./test/history

webui-test: bin/etcd ## the status page in a real browser; skipped where there is no chromium
	cd test/webui && WEBUI_BINARY=$(WEBUI_BINARY) go test -timeout 20m -count 1 -v .

bench: build ## figures as ratios, measured side by side
	go run ./test/bench

check: $(LINT) ## format, vet, lint; import directions are a test
	@unformatted=$$(gofmt -l cmd internal test); if [ -n "$$unformatted" ]; then echo "not gofmt'ed: $$unformatted"; exit 1; fi
	go vet ./...
	$(LINT) run ./...

$(LINT): tools/lint/go.mod
	cd tools/lint && CGO_ENABLED=0 go build -trimpath -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

clean:
	rm -rf bin dist
