package rbac

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// Policy is one thing that a role may do, as proxies enforce it.
type Policy struct {
	Role      string
	Object    Object
	Privilege string // as stored
}

// String is the form in which proxies read a policy.
func (p Policy) String() string {
	text, _ := json.Marshal(struct{ PType, V0, V1, V2 string }{ // texts alone: it cannot fail
		"p", p.Role, p.Object.Type + "-" + p.Object.Database + "." + p.Object.Name, p.Privilege,
	})
	return string(text)
}

// all is the custom groups and the given ones.
func (t *Tables) all(builtin Groups) Groups {
	groups := t.Groups()
	maps.Copy(groups, builtin)
	return groups
}

// Policies are what all roles may do, groups expanded, each once and in order.
func (t *Tables) Policies(builtin Groups) []Policy {
	groups := t.all(builtin)
	var all []Policy
	for _, role := range t.granted() {
		if !t.HasRole(role) {
			continue // the rest of a role that was dropped
		}
		for _, g := range t.Grants(role) {
			all = append(all, policies(g, groups)...)
		}
	}
	slices.SortFunc(all, comparePolicies)
	return slices.Compact(all)
}

// policies expands one grant. A privilege on a collection that is none of a collection's, such as DescribeCollection in a
// group, is about the whole database.
func policies(g Grant, groups Groups) []Policy {
	if g.Privilege == Any {
		return []Policy{{g.Role, g.Object, Any}}
	}
	var all []Policy
	for _, name := range groups.expand(g.Privilege) {
		o := Object{TypeOf(name), g.Object.Database, g.Object.Name}
		if o.Type == Global {
			o.Name = Any
		}
		all = append(all, Policy{g.Role, o, stored(name)})
	}
	return all
}

// Difference is what is in a and not in b. Both are as Policies gives them.
func Difference(a, b []Policy) []Policy {
	var only []Policy
	for _, p := range a {
		if _, both := slices.BinarySearchFunc(b, p, comparePolicies); !both {
			only = append(only, p)
		}
	}
	return only
}

func comparePolicies(a, b Policy) int {
	return cmp.Or(
		cmp.Compare(a.Role, b.Role), cmp.Compare(a.Object.Type, b.Object.Type), cmp.Compare(a.Object.Database, b.Object.Database),
		cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Privilege, b.Privilege),
	)
}

// Sight is what a user may see in lists.
type Sight struct {
	everything  bool
	databases   map[string]bool
	collections map[string]map[string]bool // by database; Any in both
}

// Everything is the sight of those to whom nothing is hidden.
func Everything() Sight { return Sight{everything: true} }

// SightOf is what a user's roles let him see. Public is not among them: everybody would see everything.
func (t *Tables) SightOf(user string, builtin Groups) Sight {
	if user == Root {
		return Everything()
	}
	s := Sight{databases: map[string]bool{}, collections: map[string]map[string]bool{}}
	groups := t.all(builtin)
	for _, role := range t.RolesOf(user) {
		if role == Admin {
			return Everything()
		}
		for _, g := range t.Grants(role) {
			s.add(g, groups)
		}
	}
	return s
}

func (s *Sight) add(g Grant, groups Groups) {
	s.databases[g.Object.Database] = true
	name := g.Object.Name
	all := g.Object.Type == Global && (g.Privilege == "All" || g.Privilege == Any)
	if all {
		name = Any
	}
	ofCollection := func(p string) bool { return TypeOf(p) == Collection }
	if !all && g.Object.Type != Collection && !slices.ContainsFunc(groups.expand(g.Privilege), ofCollection) {
		return
	}
	if s.collections[g.Object.Database] == nil {
		s.collections[g.Object.Database] = map[string]bool{}
	}
	s.collections[g.Object.Database][name] = true
}

// Whole tells whether nothing is hidden.
func (s Sight) Whole() bool { return s.everything }

// Database tells whether a database is seen.
func (s Sight) Database(name string) bool {
	return s.everything || s.databases[name] || s.databases[Any]
}

// Collection tells whether a collection is seen.
func (s Sight) Collection(database, name string) bool {
	if s.everything {
		return true
	}
	for _, d := range []string{database, Any} {
		if s.collections[d][name] || s.collections[d][Any] {
			return true
		}
	}
	return false
}
