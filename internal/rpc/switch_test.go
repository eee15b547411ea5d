package rpc

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-coord/milvus/internal/coord"
	"github.com/milvus-coord/milvus/internal/errs"
)

var _ coord.Gate = (*Switch)(nil)

// TestNoCallRunsAfterClose races thousands of calls with Close, at the level where no network slows them down.
func TestNoCallRunsAfterClose(t *testing.T) {
	f := newFixture(t, RootCoord)
	b, describe := f.server.border, f.method("DescribeCollection")
	var executed atomic.Int64
	var refused atomic.Int64
	for round := range 300 {
		var over atomic.Bool
		f.serve(&fakeRoot{describe: func(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
			if over.Load() {
				t.Error("a call entered or was still running after Close had returned")
			}
			runtime.Gosched()
			executed.Add(1)
			if over.Load() {
				t.Error("a call was still running after Close had returned")
			}
			return &milvuspb.DescribeCollectionResponse{Status: errs.Success()}, nil
		}})
		start := make(chan struct{})
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				ctx := grpc.NewContextWithServerTransportStream(context.Background(), noStream{})
				<-start
				for range 20 {
					resp, err := describe.serve(ctx, b, func(any) error { return nil })
					if err != nil {
						t.Error(err)
					}
					if statusOf(resp).GetCode() == 1 {
						refused.Add(1)
					}
				}
			})
		}
		close(start)
		for range round % 50 {
			runtime.Gosched()
		}
		require.NoError(t, f.sw.Close(testContext(t)))
		over.Store(true)
		callers.Wait()
	}
	require.NotZero(t, executed.Load(), "the race was not run: all calls were refused")
	require.NotZero(t, refused.Load(), "the race was not run: no call was refused")
}

func (f *fixture) method(name string) *method {
	for _, m := range f.sw.methods[f.sw.services[0].Desc.ServiceName] {
		if m.name == name {
			return m
		}
	}
	return nil
}

type noStream struct{ grpc.ServerTransportStream }

func (noStream) SetHeader(metadata.MD) error { return nil }

func TestCloseWaitsForCallsUnderWay(t *testing.T) {
	f := newFixture(t, RootCoord)
	entered, release := make(chan struct{}), make(chan struct{})
	f.serve(&fakeRoot{describe: func(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
		close(entered)
		<-release
		return &milvuspb.DescribeCollectionResponse{Status: errs.Success(), CollectionName: "c"}, nil
	}})
	answer := make(chan *milvuspb.DescribeCollectionResponse, 1)
	go func() {
		resp, _ := f.root().DescribeCollection(context.Background(), &milvuspb.DescribeCollectionRequest{})
		answer <- resp
	}()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- f.sw.Close(context.Background()) }()

	// The second call is refused while the first is being waited for.
	f.sw.SetState(commonpb.StateCode_Stopping)
	require.Eventually(t, func() bool {
		resp, err := f.root().CreateCollection(testContext(t), &milvuspb.CreateCollectionRequest{})
		return err == nil && resp.Detail == "service not ready[rootcoord=5]: Stopping"
	}, 10*time.Second, time.Millisecond)
	select {
	case <-closed:
		t.Fatal("Close returned with a call under way")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	require.NoError(t, <-closed)
	require.Equal(t, "c", (<-answer).GetCollectionName(), "the call under way was answered")
}

func TestCloseWithholdsAnswersThatComeTooLate(t *testing.T) {
	f := newFixture(t, RootCoord)
	entered, release := make(chan struct{}, 2), make(chan struct{})
	f.serve(&fakeRoot{
		describe: func(context.Context, *milvuspb.DescribeCollectionRequest) (*milvuspb.DescribeCollectionResponse, error) {
			entered <- struct{}{}
			<-release
			return &milvuspb.DescribeCollectionResponse{Status: errs.Success(), CollectionName: "stale"}, nil
		},
		create: func(context.Context, *milvuspb.CreateCollectionRequest) (*commonpb.Status, error) {
			entered <- struct{}{}
			<-release
			return errs.Success(), nil
		},
	})
	described, created := make(chan *milvuspb.DescribeCollectionResponse, 1), make(chan *commonpb.Status, 1)
	go func() {
		resp, _ := f.root().DescribeCollection(context.Background(), &milvuspb.DescribeCollectionRequest{})
		described <- resp
	}()
	go func() {
		resp, _ := f.root().CreateCollection(context.Background(), &milvuspb.CreateCollectionRequest{})
		created <- resp
	}()
	<-entered
	<-entered
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := f.sw.Close(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "2 calls are still under way")

	// The next term does not care for them, and they do not care for it.
	f.serve(&fakeRoot{})
	close(release)
	requireNotReady(t, (<-described).Status, "service not ready[rootcoord=5]: StandBy")
	require.Zero(t, (<-created).Code, "what was committed stays a success")
	require.NoError(t, f.sw.Close(testContext(t)))
	require.NoError(t, f.sw.Close(testContext(t)), "closing twice is nothing")
}
