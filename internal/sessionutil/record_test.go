package sessionutil

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes are those that a Milvus 2.5 coordinator puts.
func TestRecordIsMilvusToTheByte(t *testing.T) {
	t.Parallel()
	lease := int64(7587883466210813710)
	got := Record{
		ServerID: 19, ServerName: "rootcoord", Address: "10.0.0.7:53100", Exclusive: true, TriggerKill: true,
		Version: "2.5.6", LeaseID: &lease, HostName: "milvus-rootcoord-0",
	}.encode()
	require.Equal(t, `{"ServerID":19,"ServerName":"rootcoord","Address":"10.0.0.7:53100","Exclusive":true,"TriggerKill":true,`+
		`"Version":"2.5.6","IndexEngineVersion":{},"LeaseID":7587883466210813710,"HostName":"milvus-rootcoord-0"}`, got)
}

func TestParseRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   string
		want int64
		bad  bool
	}{
		"2.2 without a lease": {in: `{"ServerID":3,"ServerName":"rootcoord","Address":"a:1","Exclusive":true,"TriggerKill":true,"Version":"2.2.3"}`, want: 3},
		"unknown fields":      {in: `{"ServerID":4,"Address":"a:1","Colour":"blue"}`, want: 4},
		"not JSON":            {in: `hello`, bad: true},
		"nobody":              {in: `{}`, bad: true},
		"wrong type":          {in: `{"ServerID":"x"}`, bad: true},
		"empty":               {in: ``, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRecord([]byte(tc.in))
			require.Equal(t, tc.bad, err != nil, "%v", err)
			require.Equal(t, tc.want, r.ServerID)
		})
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(`{"ServerID":3,"Address":"a:1","LeaseID":5,"ServerLabels":{"a":"b"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ParseRecord(in)
		if err != nil {
			return
		}
		again, err := ParseRecord([]byte(r.encode()))
		require.NoError(t, err)
		a, _ := json.Marshal(r)
		b, _ := json.Marshal(again)
		require.JSONEq(t, string(a), string(b))
	})
}
