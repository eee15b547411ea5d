package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// spec is one key: all that is known about it, and the field that it sets.
type spec struct {
	key    string   // as documented
	also   []string // other spellings of the same key, of equal standing
	legacy []string // older keys, read when this one is not set or at its default
	def    string
	// allowed completes "allowed: ".
	allowed string
	doc     string

	secret  bool // never shown
	unused  bool // read and checked, because Milvus' files have it, and without effect
	port    bool // a variable that Kubernetes sets for a service of that name is not meant for us
	list    bool // a YAML sequence is taken as comma text
	mapping bool // a YAML mapping is taken as JSON text
	tree    bool // with mappings and lists in it

	// set parses raw into the field. The text it returns is the same for equal values.
	set func(c *Config, raw string) (canonical string, err error)
}

// names are all spellings of the key of equal standing.
func (s *spec) names() []string { return append([]string{s.key}, s.also...) }

// canonical is set without a config at hand.
func (s *spec) canonical(raw string) (string, error) { return s.set(new(Config), raw) }

// shown is a value as people may see it.
func (s *spec) shown(value string) string {
	if s.secret {
		return mask(value)
	}
	return value
}

// KeyDoc describes a key for a reader.
type KeyDoc struct {
	Key     string
	Also    []string // other spellings
	Legacy  []string // older keys that are read in its place
	Default string   // as the code has it, also of a secret
	Allowed string   // what values it takes, with their unit
	Doc     string   // one sentence
	Env     string   // the variable to set it with
	Secret  bool     // its value is never shown
	Unused  bool     // it has no effect
}

// Reference describes every key, in the order of configs/milvus.yaml.
func Reference() []KeyDoc {
	var docs []KeyDoc
	for _, s := range allSpecs() {
		docs = append(docs, KeyDoc{
			Key: s.key, Also: s.also, Legacy: s.legacy, Default: s.def, Allowed: s.allowed, Doc: s.doc,
			Env: envName(s.key), Secret: s.secret, Unused: s.unused,
		})
	}
	return docs
}

// allSpecs is the one table of keys.
func allSpecs() []*spec {
	var all []*spec
	for _, section := range [][]*spec{
		etcdSpecs(), storeSpecs(), mqSpecs(),
		coordSpecs("rootCoord", 53100, func(c *Config) *Coord { return &c.RootCoord }), rootSpecs(),
		proxySpecs(),
		coordSpecs("queryCoord", 19531, func(c *Config) *Coord { return &c.QueryCoord }),
		coordSpecs("dataCoord", 13333, func(c *Config) *Coord { return &c.DataCoord }),
		channelSpecs(), logSpecs(), grpcSpecs(), tlsSpecs(), commonSpecs(), securitySpecs(), sessionSpecs(), quotaSpecs(), traceSpecs(), kubernetesSpecs(),
	} {
		all = append(all, section...)
	}
	return all
}

func text(key, def, doc string, field func(*Config) *string) *spec {
	return &spec{key: key, def: def, doc: doc, allowed: "any text", set: func(c *Config, raw string) (string, error) {
		*field(c) = raw
		return raw, nil
	}}
}

// name is a text that becomes part of keys or channels.
func name(key, def, doc string, field func(*Config) *string) *spec {
	s := text(key, def, doc, field)
	s.allowed = "a text that is not empty and has no spaces"
	s.set = func(c *Config, raw string) (string, error) {
		if raw == "" || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' }) {
			return "", errNotAllowed
		}
		*field(c) = raw
		return raw, nil
	}
	return s
}

// choice is one of a few words, in any case; the field gets the spelling of the list. The first may be empty.
func choice(key, def string, words []string, doc string, field func(*Config) *string) *spec {
	allowed := strings.TrimPrefix(strings.Join(words, ", "), ", ")
	if words[0] == "" {
		allowed += " or nothing"
	}
	return &spec{key: key, def: def, doc: doc, allowed: allowed,
		set: func(c *Config, raw string) (string, error) {
			for _, word := range words {
				if strings.EqualFold(word, raw) {
					*field(c) = word
					return word, nil
				}
			}
			return "", errNotAllowed
		}}
}

func boolean(key, def, doc string, field func(*Config) *bool) *spec {
	return &spec{key: key, def: def, doc: doc, allowed: "true or false (also 1, t, T, TRUE, True and 0, f, F, FALSE, False)",
		set: func(c *Config, raw string) (string, error) {
			value, err := strconv.ParseBool(raw)
			if err != nil {
				return "", errors.New("is neither true nor false")
			}
			*field(c) = value
			return strconv.FormatBool(value), nil
		}}
}

func number(key string, def, low, high int, doc string, field func(*Config) *int) *spec {
	return &spec{key: key, def: strconv.Itoa(def), doc: doc, allowed: fmt.Sprintf("a whole number, %d to %d", low, high),
		set: func(c *Config, raw string) (string, error) {
			value, err := strconv.Atoi(raw)
			switch {
			case errors.Is(err, strconv.ErrRange):
				return "", errors.New("is out of range")
			case err != nil:
				return "", errors.New("is not a whole number")
			case value < low || value > high:
				return "", errors.New("is out of range")
			}
			*field(c) = value
			return strconv.Itoa(value), nil
		}}
}

// portNumber is a port to listen on.
func portNumber(key string, def int, doc string, field func(*Config) *int) *spec {
	s := number(key, def, 0, math.MaxUint16, doc, field)
	s.allowed = "a port, 1 to 65535, or 0 for any free one"
	s.port = true
	return s
}

// Names of units in what is allowed.
var unitNames = map[time.Duration]string{time.Second: "seconds", time.Millisecond: "milliseconds"}

// duration is a number of units. Decimals are allowed down to step.
func duration(key, def string, unit, step, low, high time.Duration, doc string, field func(*Config) *time.Duration) *spec {
	kind := "a number"
	if step == unit {
		kind = "a whole number"
	}
	inUnits := func(d time.Duration) string {
		return strconv.FormatFloat(float64(d)/float64(unit), 'f', -1, 64)
	}
	return &spec{key: key, def: def, doc: doc,
		allowed: fmt.Sprintf("%s of %s, %s to %s", kind, unitNames[unit], inUnits(low), inUnits(high)),
		set: func(c *Config, raw string) (string, error) {
			number, err := parseDecimal(raw)
			if err != nil {
				return "", err
			}
			nanos := number * float64(unit)
			if nanos < float64(low) || nanos > float64(high) {
				return "", errors.New("is out of range")
			}
			value := time.Duration(math.Round(nanos))
			if value%step != 0 {
				return "", fmt.Errorf("is finer than %s", step)
			}
			*field(c) = value
			return inUnits(value), nil
		}}
}

// seconds is a number of seconds from 0 up to a day, down to milliseconds.
func seconds(key, def string, low time.Duration, doc string, field func(*Config) *time.Duration) *spec {
	return duration(key, def, time.Second, time.Millisecond, low, maxDuration, doc, field)
}

// millis is a whole number of milliseconds from 1 up to a day.
func millis(key, def, doc string, field func(*Config) *time.Duration) *spec {
	return duration(key, def, time.Millisecond, time.Millisecond, time.Millisecond, maxDuration, doc, field)
}

// maxDuration is longer than any wait in a coordinator makes sense.
const maxDuration = 24 * time.Hour

func fraction(key, def, doc string, field func(*Config) *float64) *spec {
	return &spec{key: key, def: def, doc: doc, allowed: "a number, 0 to 1",
		set: func(c *Config, raw string) (string, error) {
			value, err := parseDecimal(raw)
			if err != nil {
				return "", err
			}
			if value < 0 || value > 1 {
				return "", errors.New("is out of range")
			}
			*field(c) = value
			return strconv.FormatFloat(value, 'f', -1, 64), nil
		}}
}

// properties is a JSON object of texts.
func properties(key, def, doc string, field func(*Config) *map[string]string) *spec {
	return &spec{key: key, def: def, doc: doc, mapping: true,
		allowed: `a JSON object of texts, such as {"database.max.collections": "10"}`,
		set: func(c *Config, raw string) (string, error) {
			var value map[string]string
			if err := json.Unmarshal([]byte(raw), &value); err != nil {
				return "", errors.New("is not a JSON object of texts")
			}
			if value == nil {
				value = map[string]string{}
			}
			*field(c) = value
			return canonicalProperties(value), nil
		}}
}

func canonicalProperties(value map[string]string) string {
	keys := make([]string, 0, len(value))
	for key := range value {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	pairs := make([]string, len(keys))
	for i, key := range keys {
		pairs[i] = strconv.Quote(key) + ": " + strconv.Quote(value[key])
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// errNotAllowed is a value about which there is no more to say than what would be allowed.
var errNotAllowed = errors.New("")

// parseDecimal reads digits with at most one point. ParseFloat alone would take 1e3, 0x1p3, inf and NaN.
func parseDecimal(raw string) (float64, error) {
	value, err := strconv.ParseFloat(raw, 64)
	if err != nil || strings.Trim(strings.TrimPrefix(raw, "-"), "0123456789.") != "" {
		return 0, errors.New("is not a number")
	}
	return value, nil
}

// withAlso, withLegacy and asSecret make the table read as one line per key.
func (s *spec) withAlso(keys ...string) *spec {
	s.also = keys
	return s
}

func (s *spec) withLegacy(keys ...string) *spec {
	s.legacy = keys
	return s
}

func (s *spec) asSecret() *spec {
	s.secret = true
	return s
}

// withoutEffect is for keys that Milvus' files have and that nobody here acts on.
func (s *spec) withoutEffect() *spec {
	s.unused = true
	return s
}
