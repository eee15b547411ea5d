package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/milvus-io/milvus/pkg/v2/proto/etcdpb"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable"
	"github.com/milvus-coord/milvus/internal/model"
)

// acceptAlias takes in an alias from any of the three places where it may lie.
func (t *tables) acceptAlias(key recordKey, kv metatable.KV) error {
	at := objectName{key.db, key.name}
	old := t.spareAliases[at]
	if a := t.aliases[at]; a != nil {
		old = append(slices.Clone(old), place[*etcdpb.AliasInfo]{a.Key, t.keys.parse(a.Key).kind, a.ModRevision, a.Info})
	}
	var fresh *place[*etcdpb.AliasInfo]
	var err error
	if !kv.Deleted {
		var info *etcdpb.AliasInfo
		if info, err = decodeAlias(key, kv.Value); err == nil {
			fresh = &place[*etcdpb.AliasInfo]{key: kv.Key, kind: key.kind, revision: kv.ModRevision, info: info}
		}
	}
	counts, rest := settle(old, kv.Key, fresh)
	if len(rest) > 0 {
		t.spareAliases[at] = rest
	} else {
		delete(t.spareAliases, at)
	}
	t.removeAlias(at)
	if counts != nil {
		a := &model.Alias{Info: counts.info, Key: counts.key, ModRevision: counts.revision}
		t.aliases[at] = a
		id := a.Info.GetCollectionId()
		t.aliasesOf[id] = insert(slices.Clone(t.aliasesOf[id]), a, compareAliases)
	}
	return err
}

func decodeAlias(key recordKey, value []byte) (*etcdpb.AliasInfo, error) {
	info := &etcdpb.AliasInfo{}
	if key.kind == ancientAliasRecord {
		c := &etcdpb.CollectionInfo{}
		if err := proto.Unmarshal(value, c); err != nil {
			return nil, err
		}
		info.AliasName, info.CollectionId, info.CreatedTime = key.name, c.GetID(), c.GetCreateTime()
		return info, nil
	}
	if err := proto.Unmarshal(value, info); err != nil {
		return nil, err
	}
	if info.GetAliasName() != key.name {
		return nil, fmt.Errorf("the record is of alias %q", info.GetAliasName())
	}
	return info, nil
}

func (t *tables) removeAlias(at objectName) {
	a := t.aliases[at]
	if a == nil {
		return
	}
	delete(t.aliases, at)
	id := a.Info.GetCollectionId()
	rest := slices.DeleteFunc(slices.Clone(t.aliasesOf[id]), func(b *model.Alias) bool { return a == b })
	if len(rest) == 0 {
		delete(t.aliasesOf, id)
		return
	}
	t.aliasesOf[id] = rest
}

func compareAliases(a, b *model.Alias) int {
	return cmp.Or(strings.Compare(a.Info.GetAliasName(), b.Info.GetAliasName()), strings.Compare(a.Key, b.Key))
}
