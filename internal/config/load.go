package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/spf13/viper"
)

// Source says where to read from. It is a value, so that a test needs no process environment.
type Source struct {
	// Dir is the directory of the files. If it is empty it is taken from MILVUSCONF in Environ, else it is ./configs.
	// One that was named must exist; ./configs need not.
	Dir string
	// Environ is the environment, as os.Environ gives it.
	Environ []string
}

// fileNames are the files of the directory; a later one wins. The first is the one that is shipped.
var fileNames = []string{"milvus.yaml", "_test.yaml", "default.yaml", "user.yaml"}

// Levels of precedence. Files have 1, 2, ... in the order of fileNames.
const (
	levelDefault     = 0
	levelShipped     = 1
	levelEnv         = 100
	levelPrefixedEnv = 101
)

// Load reads the configuration. If anything is wrong the error is an [Errors] with all of it, and there is no Config;
// the Report is always there.
func Load(source Source) (*Config, *Report, error) {
	l := newLoader()
	l.readFiles(source)
	l.addEnviron(source.Environ)
	return l.result()
}

// loader is one run of Load. viper holds the layers and their precedence; what it holds for a folded key is an
// assignment, so that a value never goes without its origin.
type loader struct {
	index    *index
	layers   *viper.Viper
	report   *Report
	config   *Config
	errs     Errors
	resolved map[string]assignment // by key: what was applied, with the canonical value as raw
	bad      map[string]bool       // keys with an error of their own
}

func newLoader() *loader {
	return &loader{
		index:    newIndex(allSpecs()),
		layers:   viper.NewWithOptions(viper.KeyDelimiter("\x00")), // keys are folded: they have no levels
		report:   &Report{},
		config:   &Config{},
		resolved: map[string]assignment{},
		bad:      map[string]bool{},
	}
}

// result takes what was added apart into the Config.
func (l *loader) result() (*Config, *Report, error) {
	for _, s := range l.index.specs {
		l.apply(s)
	}
	l.finish()

	sort.Slice(l.report.Entries, func(i, j int) bool { return l.report.Entries[i].Key < l.report.Entries[j].Key })
	if len(l.errs) > 0 {
		return nil, l.report, l.errs
	}
	return l.config, l.report, nil
}

// directory finds where the files are; empty if there is none to read.
func (l *loader) directory(source Source) string {
	dir, origin := source.Dir, Origin{}
	if dir == "" {
		for _, variable := range source.Environ {
			if value, found := strings.CutPrefix(variable, "MILVUSCONF="); found {
				dir, origin = value, Origin{Kind: FromEnv, Env: "MILVUSCONF"}
			}
		}
	}
	named := dir != ""
	if !named {
		dir = "configs"
	}
	l.report.Dir = dir
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return dir
	case !named && errors.Is(err, fs.ErrNotExist):
		return ""
	case err == nil:
		err = errors.New("is not a directory")
	case errors.Is(err, fs.ErrNotExist):
		err = errors.New("does not exist")
	}
	l.errs = append(l.errs, &Error{Origin: origin, Key: "configuration directory", Value: dir, HasValue: true, Problem: problemOf(err)})
	return ""
}

func (l *loader) readFiles(source Source) {
	dir := l.directory(source)
	if dir == "" {
		return
	}
	for i, name := range fileNames {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		l.report.Files = append(l.report.Files, path)
		if err != nil {
			l.errs = append(l.errs, &Error{Origin: Origin{Kind: FromFile, File: path}, Problem: "cannot be read: " + problemOf(err)})
			continue
		}
		l.addFile(path, levelShipped+i, data)
	}
}

// addFile puts a file's values over those added before.
func (l *loader) addFile(path string, level int, data []byte) {
	file := &yamlFile{path: path, level: level, index: l.index, values: map[string]assignment{}}
	file.parse(data)
	l.errs = append(l.errs, file.errs...)
	l.report.Warnings = append(l.report.Warnings, file.warnings...)
	layer := make(map[string]any, len(file.values))
	for folded, given := range file.values {
		layer[folded] = given
	}
	if err := l.layers.MergeConfigMap(layer); err != nil {
		l.errs = append(l.errs, &Error{Origin: Origin{Kind: FromFile, File: path}, Problem: err.Error()})
	}
}

// addEnviron puts the variables over all files.
func (l *loader) addEnviron(environ []string) {
	env := readEnvironment(environ, l.index)
	l.errs = append(l.errs, env.errs...)
	l.report.Warnings = append(l.report.Warnings, env.warnings...)
	for folded, given := range env.values {
		l.layers.Set(folded, given)
	}
}

// lookup is what the sources say of one spelling.
func (l *loader) lookup(spelling string) (assignment, bool) {
	given, found := l.layers.Get(fold(spelling)).(assignment)
	return given, found
}

// resolve finds the value of a key: that of the highest source, under whatever spelling. Two spellings at one level
// that say different things have no winner.
func (l *loader) resolve(s *spec) assignment {
	best := assignment{raw: s.def}
	for _, spelling := range s.names() {
		given, found := l.lookup(spelling)
		switch {
		case !found || given.level < best.level:
		case given.level > best.level:
			best = given
		case !sameValue(s, given.raw, best.raw):
			l.fail(s, given, fmt.Sprintf("differs from %q in %s: %s and %s are the same key",
				s.shown(best.raw), best.origin.place(), spellingOf(s, best), spellingOf(s, given)))
		}
	}
	// Milvus' rule: an older key counts as long as the newer one is at its default, even if that was spelt out.
	if sameValue(s, best.raw, s.def) {
		for _, key := range s.legacy {
			if given, found := l.lookup(key); found {
				given.origin.Key = key
				return given
			}
		}
	}
	return best
}

func sameValue(s *spec, a, b string) bool {
	if a == b {
		return true
	}
	canonicalA, errA := s.canonical(s.trimmed(a))
	canonicalB, errB := s.canonical(s.trimmed(b))
	return errA == nil && errB == nil && canonicalA == canonicalB
}

// spellingOf is how an assignment spelt the key: the variable, or the key as in the file.
func spellingOf(s *spec, given assignment) string {
	switch {
	case given.origin.Kind == FromEnv:
		return given.origin.Env
	case given.origin.Key != "":
		return given.origin.Key
	}
	return s.key
}

// trimmed drops spaces around a value, which are never meant; a password is taken as it is.
func (s *spec) trimmed(raw string) string {
	if s.secret {
		return raw
	}
	return strings.TrimSpace(raw)
}

// apply sets the key's field and writes its line of the report.
func (l *loader) apply(s *spec) {
	given := l.resolve(s)
	given.raw = s.trimmed(given.raw)
	canonical, err := s.set(l.config, given.raw)
	if err != nil {
		l.fail(s, given, err.Error())
		canonical = given.raw
	}
	origin := given.origin
	if origin.Kind == FromEnv {
		origin.Key = "" // the variable says it
	}
	given.raw = canonical
	l.resolved[s.key] = given
	l.report.Entries = append(l.report.Entries, Entry{
		Key: s.key, Value: s.shown(canonical), Default: s.shown(s.def), Origin: origin,
	})
}

// fail notes a value that is wrong.
func (l *loader) fail(s *spec, given assignment, problem string) {
	l.bad[s.key] = true
	origin := given.origin
	if origin.Kind == FromEnv {
		origin.Key = ""
	}
	l.errs = append(l.errs, &Error{
		Origin: origin, Key: s.key, Value: s.shown(given.raw), HasValue: true, Problem: problem, Allowed: s.allowed,
	})
}

// problemOf is an error of the file system without the path, which is told already.
func problemOf(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err.Error()
	}
	return err.Error()
}
