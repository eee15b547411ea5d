package rbac

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	"github.com/milvus-coord/milvus/internal/metatable/tableset"
	"github.com/milvus-coord/milvus/internal/sessionutil"
)

// Committer is the term, as far as it is needed.
type Committer interface {
	Commit(ctx context.Context, txn sessionutil.Txn) (revision int64, err error)
	Context() context.Context
}

// Waiter waits until the tables show a revision.
type Waiter interface {
	WaitFor(ctx context.Context, revision int64) error
}

// Writer changes the records for one term. Callers hold one lock over all changes; a method returns when the change is
// committed and the tables show it. What is as wanted already is not written. Errors are those of sessionutil.Term.Commit,
// or a metatable.Quarantined where the change would write over what does not decode.
type Writer struct {
	keys   Keys
	tables *tableset.Set[*Tables]
	term   Committer
	waiter Waiter
}

// NewWriter makes a writer that commits through term. waiter is the follower that feeds tables.
func NewWriter(keys Keys, tables *tableset.Set[*Tables], term Committer, waiter Waiter) *Writer {
	return &Writer{keys: keys, tables: tables, term: term, waiter: waiter}
}

// PutUser creates a user or replaces the hash.
func (w *Writer) PutUser(ctx context.Context, name, hash string) error {
	return w.apply(ctx, func(c *change) { c.putUser(name, hash) })
}

// DropUser removes a user with the memberships.
func (w *Writer) DropUser(ctx context.Context, name string) error {
	return w.apply(ctx, func(c *change) {
		for _, role := range c.tables.RolesOf(name) {
			c.remove(w.keys.member(name, role))
		}
		c.remove(w.keys.user(name))
	})
}

// CreateRole creates a role.
func (w *Writer) CreateRole(ctx context.Context, name string) error {
	return w.apply(ctx, func(c *change) { c.put(w.keys.role(name), "") })
}

// DropRole removes a role with its memberships and grants. Of more grants than fit into one transaction some go before: left
// behind, they would be those of the next role of that name.
func (w *Writer) DropRole(ctx context.Context, name string) error {
	for {
		whole := false
		err := w.apply(ctx, func(c *change) {
			keys := grantKeys(c.tables, name)
			if whole = len(keys) <= grantsAtOnce; !whole {
				keys = keys[:grantsAtOnce]
			}
			for _, key := range keys {
				c.remove(key)
			}
			if !whole {
				return
			}
			for _, user := range c.tables.UsersOf(name) {
				c.remove(w.keys.member(user, name))
			}
			c.remove(w.keys.role(name))
		})
		if err != nil || whole {
			return err
		}
	}
}

// grantsAtOnce is how many keys of grants DropRole removes in one transaction. It leaves room for the memberships.
const grantsAtOnce = 1000

// grantKeys are the keys of a role's grants, and then those of the objects that these are about.
func grantKeys(t *Tables, role string) []string {
	var keys []string
	t.grants(role)(func(_ Grant, key string) bool {
		keys = append(keys, key)
		return true
	})
	t.objectsOf(role, func(key, _ string, _ Object) { keys = append(keys, key) })
	return keys
}

// Join gives a user a role.
func (w *Writer) Join(ctx context.Context, user, role string) error {
	return w.apply(ctx, func(c *change) { c.put(w.keys.member(user, role), "") })
}

// Leave takes a role from a user.
func (w *Writer) Leave(ctx context.Context, user, role string) error {
	return w.apply(ctx, func(c *change) { c.remove(w.keys.member(user, role)) })
}

// Grant gives roles privileges. Who granted first stays the grantor.
func (w *Writer) Grant(ctx context.Context, grants ...Grant) error {
	return w.apply(ctx, func(c *change) {
		for _, g := range grants {
			c.grant(g)
		}
	})
}

// Revoke takes a privilege from a role. The object's key stays, as in Milvus.
func (w *Writer) Revoke(ctx context.Context, g Grant) error {
	return w.apply(ctx, func(c *change) {
		c.tables.objectsOf(g.Role, func(_, id string, o Object) {
			if o == g.Object {
				c.remove(w.keys.privilege(id, stored(g.Privilege)))
			}
		})
	})
}

// PutGroup creates a custom group or replaces its members.
func (w *Writer) PutGroup(ctx context.Context, name string, members []string) error {
	return w.apply(ctx, func(c *change) { c.putGroup(name, members) })
}

// DropGroup removes a custom group.
func (w *Writer) DropGroup(ctx context.Context, name string) error {
	return w.apply(ctx, func(c *change) { c.remove(w.keys.group(name)) })
}

// Backup is a set of new records.
type Backup struct {
	Roles       []string
	Groups      Groups
	Grants      []Grant
	Users       []Account
	Memberships []Membership
}

// Account is a user with the hash of the password.
type Account struct{ Name, Hash string }

// Restore adds records.
func (w *Writer) Restore(ctx context.Context, b Backup) error {
	return w.apply(ctx, func(c *change) {
		for _, name := range b.Roles {
			c.put(w.keys.role(name), "")
		}
		for name, members := range b.Groups {
			c.putGroup(name, members)
		}
		for _, g := range b.Grants {
			c.grant(g)
		}
		for _, u := range b.Users {
			c.putUser(u.Name, u.Hash)
		}
		for _, m := range b.Memberships {
			c.put(w.keys.member(m.User, m.Role), "")
		}
	})
}

// change collects keys, each guarded by what the tables know of it.
type change struct {
	keys   Keys
	tables *Tables
	ids    map[string]string   // grant ids of object keys that this change makes
	guards []sessionutil.Guard // one for each operation
	ops    []clientv3.Op
	done   map[string]bool
	err    error // the first
}

// levelOps is how many operations there are at each level of a transaction: with twice as many, and the fence, above them,
// etcd leaves 47 for those below.
const levelOps = 40

func (w *Writer) apply(ctx context.Context, fill func(c *change)) error {
	c := &change{keys: w.keys, ids: map[string]string{}, done: map[string]bool{}}
	w.tables.Read(func(t *Tables) {
		c.tables = t
		fill(c)
	})
	if c.err != nil {
		return c.err
	}
	txn, err := c.txn()
	if err != nil || len(txn.Ops) == 0 {
		return err
	}
	// What is under way when the term ends is waited for: etcd's answer is better than not knowing.
	revision, err := w.term.Commit(context.WithoutCancel(w.term.Context()), txn)
	if err != nil {
		return err
	}
	return w.waiter.WaitFor(ctx, revision)
}

// txn is the change as one transaction. etcd allows 128 operations at each level, less those of the level above.
func (c *change) txn() (sessionutil.Txn, error) {
	outer := min(len(c.ops), levelOps)
	txn := sessionutil.Txn{Guards: c.guards[:outer:outer], Ops: c.ops[:outer:outer]}
	for inner := range slices.Chunk(c.ops[outer:], levelOps) {
		txn.Ops = append(txn.Ops, clientv3.OpTxn(nil, inner, nil))
	}
	if most := levelOps + levelOps*levelOps; len(c.ops) > most {
		return txn, fmt.Errorf("the change is about %d keys, at most %d fit into one transaction: make several smaller ones", len(c.ops), most)
	}
	return txn, nil
}

// add notes an operation on a key, once, if it is wanted where a record of that revision lies.
func (c *change) add(key string, op func() clientv3.Op, wanted func(revision int64) bool) {
	if c.done[key] {
		return
	}
	revision, err := c.tables.revision(key)
	if err != nil {
		if c.err == nil {
			c.err = fmt.Errorf("write over what nobody can read: %w", err)
		}
		return
	}
	if !wanted(revision) {
		return
	}
	c.done[key] = true
	c.guards = append(c.guards, sessionutil.Guard{Key: key, ModRevision: revision})
	c.ops = append(c.ops, op())
}

// put creates a record; one that is there stays as it is.
func (c *change) put(key, value string) {
	c.add(key, func() clientv3.Op { return clientv3.OpPut(key, value) }, func(revision int64) bool { return revision == 0 })
}

// replace writes a record in the place of whatever is there.
func (c *change) replace(key, value string) {
	c.add(key, func() clientv3.Op { return clientv3.OpPut(key, value) }, func(int64) bool { return true })
}

// remove deletes a record, if there is one.
func (c *change) remove(key string) {
	c.add(key, func() clientv3.Op { return clientv3.OpDelete(key) }, func(revision int64) bool { return revision != 0 })
}

func (c *change) putUser(name, hash string) {
	value, _ := json.Marshal(credential{hash}) // a text alone: it cannot fail
	c.replace(c.keys.user(name), string(value))
}

// putGroup keeps what a later Milvus may have added to the record and to the members that stay.
func (c *change) putGroup(name string, members []string) {
	info, there := &milvuspb.PrivilegeGroupInfo{GroupName: name}, map[string]*milvuspb.PrivilegeEntity{}
	if row, found, _ := c.tables.groups.Get(c.keys.group(name)); found { // what does not decode, replace refuses
		info, _ = proto.Clone(row.Value).(*milvuspb.PrivilegeGroupInfo)
	}
	for _, p := range info.GetPrivileges() {
		there[p.GetName()] = p
	}
	info.Privileges = nil
	for _, member := range slices.Sorted(slices.Values(members)) {
		info.Privileges = append(info.Privileges, cmp.Or(there[member], &milvuspb.PrivilegeEntity{Name: member}))
	}
	value, err := proto.Marshal(info)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("encode privilege group %s: %w", name, err)
	}
	c.replace(c.keys.group(name), string(value))
}

func (c *change) grant(g Grant) {
	key := c.keys.object(g.Role, g.Object)
	id, found := c.ids[key]
	if !found {
		c.tables.objectsOf(g.Role, func(_, there string, o Object) {
			if o == g.Object {
				id, found = there, true
			}
		})
	}
	if !found {
		id = c.keys.grantID(key)
		c.put(key, id)
	}
	c.ids[key] = id
	c.put(c.keys.privilege(id, stored(g.Privilege)), g.Grantor)
}
