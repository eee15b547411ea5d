package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds on a file, so that one made to hurt (aliases of aliases) costs an error and no memory.
const (
	maxFileBytes = 4 << 20
	maxNodes     = 200_000
	maxDepth     = 64
)

// assignment is a value that a source gives to a key.
type assignment struct {
	raw    string
	origin Origin
	level  int // of the source; a higher one wins
}

// yamlFile reads one file. It keeps what we read, by folded name, and notes what is wrong or odd.
type yamlFile struct {
	path     string
	level    int
	index    *index
	values   map[string]assignment
	errs     Errors
	warnings []Warning

	nodes int
}

// parse reads the file's text. It never fails as a whole: what could be read is in values.
func (f *yamlFile) parse(data []byte) {
	if len(data) > maxFileBytes {
		f.fail(0, "", fmt.Sprintf("is larger than %d MiB", maxFileBytes>>20))
		return
	}
	root, err := decode(data)
	if err != nil {
		line, problem := yamlProblem(err, data)
		f.fail(line, "", problem)
		return
	}
	if root == nil || isNull(root) {
		return
	}
	if root.Kind != yaml.MappingNode {
		f.fail(root.Line, "", "is not a mapping of keys to values")
		return
	}
	f.mapping(root, "", 0)
}

// decode reads the only document; nil if there is none. A panic of the parser is an error like any other.
func decode(data []byte) (root *yaml.Node, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			root, err = nil, fmt.Errorf("yaml: %v", cause)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, another yaml.Node
	switch err := decoder.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	switch err := decoder.Decode(&another); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return nil, err
	default:
		return nil, fmt.Errorf("yaml: line %d: it has a second document, and only one is read", another.Line)
	}
	if len(document.Content) == 0 {
		return nil, nil
	}
	return document.Content[0], nil
}

var (
	yamlLine   = regexp.MustCompile(`^line (\d+): (.*)$`)
	yamlAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// yamlProblem takes the line out of the parser's message. The message has none for the first line and for an unknown
// anchor; and where the grammar is broken it counts from 0, and often means the beginning of the block.
func yamlProblem(err error, data []byte) (line int, problem string) {
	line, problem = 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if match := yamlLine.FindStringSubmatch(problem); match != nil {
		line, _ = strconv.Atoi(match[1])
		problem = match[2]
		if strings.HasPrefix(problem, "did not find expected") {
			line++
			problem += ", here or in what begins here"
		}
	} else if match := yamlAnchor.FindStringSubmatch(problem); match != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+match[1]))
		line += bytes.Count(before, []byte("\n"))
	}
	return line, "is not valid YAML: " + problem
}

// pair is one key of a mapping.
type pair struct {
	key   *yaml.Node
	value *yaml.Node
}

// mapping reads a mapping whose keys have path in front.
func (f *yamlFile) mapping(node *yaml.Node, path string, depth int) {
	if !f.spend(node, depth) {
		return
	}
	for _, pair := range f.pairs(node, path, depth) {
		key := below(path, pair.key.Value)
		value := target(pair.value)
		known, isKey := f.index.names[fold(key)]
		section, isSection := f.index.sections[dotted(key)]
		switch {
		case isNull(value):
			f.null(pair.key.Line, key)
		case isKey:
			f.value(known, pair.key.Line, key, value)
		case value.Kind == yaml.MappingNode:
			f.mapping(value, key, depth+1)
		case isSection:
			f.fail(pair.key.Line, section, "is a section: it has keys below it and no value of its own")
		default:
			f.unknown(pair.key.Line, key)
		}
	}
}

// pairs lists a mapping's keys, with those merged into it (<<) behind its own, and refuses duplicates.
func (f *yamlFile) pairs(node *yaml.Node, path string, depth int) []pair {
	var own, merged []pair
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := target(node.Content[i]), node.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			f.fail(node.Content[i].Line, "", "has a key that is not a plain word")
		case key.Tag == "!!merge":
			merged = append(merged, f.merged(value, path, depth+1)...)
		default:
			if first, found := lines[key.Value]; found {
				f.fail(key.Line, below(path, key.Value), fmt.Sprintf("is a duplicate: it is set in line %d too", first))
				continue
			}
			lines[key.Value] = key.Line
			own = append(own, pair{key, value})
		}
	}
	for _, pair := range merged {
		if _, found := lines[pair.key.Value]; !found {
			lines[pair.key.Value] = pair.key.Line
			own = append(own, pair)
		}
	}
	return own
}

// merged lists the keys of what << refers to: a mapping, or several of which the first wins.
func (f *yamlFile) merged(value *yaml.Node, path string, depth int) []pair {
	value = target(value)
	if !f.spend(value, depth) {
		return nil
	}
	switch value.Kind {
	case yaml.MappingNode:
		return f.pairs(value, path, depth)
	case yaml.SequenceNode:
		var all []pair
		for _, item := range value.Content {
			all = append(all, f.merged(item, path, depth+1)...)
		}
		return all
	}
	f.fail(value.Line, "", "merges something that is not a mapping")
	return nil
}

// value keeps the value of a key that we read.
func (f *yamlFile) value(known knownName, line int, path string, value *yaml.Node) {
	s := known.spec
	var raw string
	switch value.Kind {
	case yaml.ScalarNode:
		raw = value.Value
	case yaml.SequenceNode:
		items, ok := scalars(value.Content)
		if !s.list || !ok {
			f.refuse(s, line, "is a list")
			return
		}
		raw = strings.Join(items, ",")
	case yaml.MappingNode:
		read := f.object
		if s.tree {
			read = tree
		}
		text, ok := read(value, path)
		if !s.mapping || !ok {
			f.refuse(s, line, "is a section with keys below it")
			return
		}
		raw = text
	}

	origin := Origin{Kind: FromFile, File: f.path, Line: line}
	if known.spelling != s.key {
		origin.Key = known.spelling
	}
	if first, found := f.values[fold(path)]; found {
		f.fail(line, known.spelling, fmt.Sprintf("is a duplicate: it is set in line %d too", first.origin.Line))
		return
	}
	f.values[fold(path)] = assignment{raw: raw, origin: origin, level: f.level}
}

// object is a mapping of texts as JSON.
func (f *yamlFile) object(node *yaml.Node, path string) (string, bool) {
	object := map[string]string{}
	for _, pair := range f.pairs(node, path, 0) {
		value := target(pair.value)
		if value.Kind != yaml.ScalarNode {
			return "", false
		}
		object[pair.key.Value] = value.Value
	}
	text, err := json.Marshal(object)
	return string(text), err == nil
}

// tree is a mapping of anything as JSON.
func tree(node *yaml.Node, _ string) (string, bool) {
	var value map[string]any
	if err := node.Decode(&value); err != nil {
		return "", false
	}
	text, err := json.Marshal(value)
	return string(text), err == nil
}

// null is a key with nothing behind it: the same as a key that is not there, if it is one.
func (f *yamlFile) null(line int, path string) {
	if _, isSection := f.index.sections[dotted(path)]; !isSection {
		f.unknown(line, path)
	}
}

// unknown warns of a key of our sections that nobody reads.
func (f *yamlFile) unknown(line int, path string) {
	if f.index.misspelt(path) {
		f.warnings = append(f.warnings, Warning{
			Origin: Origin{Kind: FromFile, File: f.path, Line: line},
			Text:   unknownKey(path, f.index.nearest(path)),
		})
	}
}

func unknownKey(given, nearest string) string {
	return fmt.Sprintf("%s: unknown key, ignored; the nearest known key is %s", given, nearest)
}

// spend counts a visit to a node, and refuses more than any honest file needs.
func (f *yamlFile) spend(node *yaml.Node, depth int) bool {
	f.nodes += 1 + len(node.Content)
	switch {
	case depth > maxDepth:
		f.failOnce(node.Line, fmt.Sprintf("is nested deeper than %d levels, or refers to itself", maxDepth))
	case f.nodes > maxNodes:
		f.failOnce(node.Line, fmt.Sprintf("has more than %d values, aliases counted as often as they are used", maxNodes))
	default:
		return true
	}
	return false
}

func (f *yamlFile) fail(line int, key, problem string) {
	f.errs = append(f.errs, &Error{Origin: Origin{Kind: FromFile, File: f.path, Line: line}, Key: key, Problem: problem})
}

// failOnce is for what would be said of every further node.
func (f *yamlFile) failOnce(line int, problem string) {
	for _, err := range f.errs {
		if err.Problem == problem {
			return
		}
	}
	f.fail(line, "", problem)
}

func (f *yamlFile) refuse(s *spec, line int, problem string) {
	f.fail(line, s.key, problem)
	f.errs[len(f.errs)-1].Allowed = s.allowed
}

// below is a key with its section in front.
func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// target follows an alias.
func target(node *yaml.Node) *yaml.Node {
	for range maxDepth {
		if node.Kind != yaml.AliasNode || node.Alias == nil {
			break
		}
		node = node.Alias
	}
	return node
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// scalars are the items of a list, if none of them has parts.
func scalars(nodes []*yaml.Node) ([]string, bool) {
	items := make([]string, len(nodes))
	for i, node := range nodes {
		if node = target(node); node.Kind != yaml.ScalarNode {
			return nil, false
		}
		items[i] = node.Value
	}
	return items, true
}
