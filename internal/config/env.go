package config

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
)

// envPrefix is Milvus' own prefix for variables. What has it wins over the same name without it.
const envPrefix = "MILVUS_CONF_"

// streamingVariable turns on Milvus' streaming nodes, which take the data path from RootCoord. It is no key.
const streamingVariable = "MILVUS_STREAMING_SERVICE_ENABLED"

// environment is what the variables say, by folded name.
type environment struct {
	values   map[string]assignment
	errs     Errors
	warnings []Warning
}

// Kubernetes gives every container variables about the services of its namespace. For a service named rootcoord they
// are ROOTCOORD_PORT=tcp://10.0.0.1:53100, ROOTCOORD_SERVICE_HOST and so on, and the first folds to one of our keys.
var (
	serviceLink     = regexp.MustCompile(`^(tcp|udp|sctp)://`)
	serviceLinkName = regexp.MustCompile(`(_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)$`)
)

// ownVariables are beginnings of names that nobody but us would choose.
var ownVariables = []string{"ROOT_COORD_", "DATA_COORD_", "QUERY_COORD_"}

// readEnvironment keeps the variables that fold to a known key. A variable with an empty value is the same as none:
// compose files pass such for what is not set. Two variables that fold to one key must agree.
func readEnvironment(environ []string, index *index) *environment {
	env := &environment{values: map[string]assignment{}}
	environ = append([]string(nil), environ...)
	sort.Strings(environ) // what is said about them should not depend on their order

	for _, variable := range environ {
		name, raw, found := strings.Cut(variable, "=")
		if !found || name == "" || raw == "" {
			continue
		}
		if name == streamingVariable && raw == "1" {
			env.errs = append(env.errs, &Error{
				Origin: Origin{Kind: FromEnv, Env: name}, Key: name, Value: raw, HasValue: true,
				Problem: "the streaming service is not supported: it publishes time ticks, and so do these coordinators; unset it in the whole cluster",
			})
			continue
		}
		short, level := name, levelEnv
		if rest, found := strings.CutPrefix(name, envPrefix); found {
			short, level = rest, levelPrefixedEnv
		}
		known, found := index.names[fold(short)]
		if !found {
			env.unknown(name, short, index)
			continue
		}
		origin := Origin{Kind: FromEnv, Env: name}
		if known.spec.port && serviceLink.MatchString(raw) {
			env.warnings = append(env.warnings, Warning{origin, fmt.Sprintf(
				"ignored: %q comes from Kubernetes for a service of that name, and is no value of %s (enableServiceLinks: false turns it off)",
				raw, known.spec.key)})
			continue
		}
		env.add(fold(short), known.spec, assignment{raw: raw, origin: origin, level: level})
	}
	return env
}

func (env *environment) add(folded string, s *spec, given assignment) {
	other, found := env.values[folded]
	switch {
	case !found || given.level > other.level:
		env.values[folded] = given
	case given.level == other.level && given.raw != other.raw:
		env.errs = append(env.errs, &Error{
			Origin: given.origin, Key: s.key, Value: s.shown(given.raw), HasValue: true,
			Problem: fmt.Sprintf("differs from %q in %s, which is the same key", s.shown(other.raw), other.origin.Env),
		})
	}
}

// unknown warns of a variable that is named like ours: the switch of active-standby is set this way, and a slip of the
// pen there shows only on the day it is needed.
func (env *environment) unknown(name, short string, index *index) {
	if serviceLinkName.MatchString(short) {
		return
	}
	for _, prefix := range ownVariables {
		rest, found := strings.CutPrefix(short, prefix)
		if !found {
			continue
		}
		section := strings.ToLower(strings.ReplaceAll(prefix, "_", ""))
		if index.misspelt(section+"."+rest) && !index.unusedFolded(fold(short)) {
			env.warnings = append(env.warnings, Warning{Origin{Kind: FromEnv, Env: name}, fmt.Sprintf(
				"unknown variable, ignored; the nearest known one is %s", index.nearestVariable(short))})
		}
	}
}

// unusedFolded is for variables, which do not tell where a section ends.
func (x *index) unusedFolded(folded string) bool {
	for key := range x.unused {
		if strings.ReplaceAll(key, ".", "") == folded {
			return true
		}
	}
	for _, prefix := range x.unusedIn {
		if strings.HasPrefix(folded, strings.ReplaceAll(prefix, ".", "")) {
			return true
		}
	}
	return false
}

// nearestVariable is nearest among the variables' names.
func (x *index) nearestVariable(variable string) string {
	best, bestDistance := "", -1
	for _, s := range x.specs {
		for _, spelling := range append(s.names(), s.legacy...) {
			candidate := envName(spelling)
			d := distance(strings.ToUpper(variable), candidate)
			if bestDistance < 0 || d < bestDistance {
				best, bestDistance = candidate, d
			}
		}
	}
	return best
}
