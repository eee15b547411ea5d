package config

import "strings"

// fold is Milvus' rule by which a variable and a key are the same: lower case, without / _ and dots.
func fold(name string) string { return strings.ReplaceAll(dotted(name), ".", "") }

// dotted is fold, but with the dots that tell the sections. The literal prefix "milvus." is cut; MILVUS_ is not.
func dotted(name string) string {
	name = strings.TrimPrefix(strings.ToLower(name), "milvus.")
	return strings.NewReplacer("/", "", "_", "").Replace(name)
}

// envName is the usual variable of a key: rootCoord.port is ROOT_COORD_PORT.
func envName(key string) string {
	var out strings.Builder
	lower := false
	for _, r := range key {
		if upper := r >= 'A' && r <= 'Z'; upper && lower {
			out.WriteByte('_')
		}
		lower = r >= 'a' && r <= 'z'
		if r == '.' {
			r = '_'
		}
		out.WriteRune(r)
	}
	return strings.ToUpper(out.String())
}

// knownName is one spelling of a key that we read.
type knownName struct {
	spec     *spec // one of them, if several share an older key
	spelling string
}

// index finds keys by their folded spelling, and knows sections by their dotted one.
type index struct {
	specs    []*spec
	names    map[string]knownName
	sections map[string]string // dotted -> as documented
	unused   map[string]bool   // dotted; see known.go
	unusedIn []string          // dotted, with the dot at the end
}

func newIndex(specs []*spec) *index {
	x := &index{specs: specs, names: map[string]knownName{}, sections: map[string]string{}, unused: map[string]bool{}}
	for _, s := range specs {
		for _, spelling := range append(s.names(), s.legacy...) {
			if _, taken := x.names[fold(spelling)]; !taken {
				x.names[fold(spelling)] = knownName{s, spelling}
			}
			for i, r := range spelling {
				if r == '.' {
					x.sections[dotted(spelling[:i])] = spelling[:i]
				}
			}
		}
	}
	for key := range strings.FieldsSeq(milvusKeys) {
		if prefix, found := strings.CutSuffix(dotted(key), "*"); found {
			x.unusedIn = append(x.unusedIn, prefix)
		} else {
			x.unused[dotted(key)] = true
		}
	}
	return x
}

// ownSections are those in which every key is either read here or one of Milvus'.
var ownSections = []string{
	"rootcoord.", "datacoord.", "querycoord.", "etcd.", "common.session.", "log.", "grpc.", "proxy.http.", "internaltls.", "trace.", "webui.", "kubernetes.",
}

// misspelt tells that a key is in a section of ours, and that nobody reads it.
func (x *index) misspelt(path string) bool {
	key := dotted(path)
	owned := false
	for _, section := range ownSections {
		owned = owned || strings.HasPrefix(key, section)
	}
	if !owned || x.unused[key] {
		return false
	}
	if _, known := x.names[fold(path)]; known {
		return false
	}
	for _, prefix := range x.unusedIn {
		if strings.HasPrefix(key, prefix) {
			return false
		}
	}
	return true
}

// nearest is the known spelling that takes the fewest changes of letters to get to from path.
func (x *index) nearest(path string) string {
	best, bestDistance := "", -1
	for _, s := range x.specs {
		for _, spelling := range append(s.names(), s.legacy...) {
			d := distance(strings.ToLower(path), strings.ToLower(spelling))
			if bestDistance < 0 || d < bestDistance {
				best, bestDistance = spelling, d
			}
		}
	}
	return best
}

// distance counts the letters to insert, delete, replace or swap with their neighbour to make b of a.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
