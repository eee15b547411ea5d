package archtest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// TestLinksOfTheDocuments follows every relative link of every document: the file is there, and so is the heading.
func TestLinksOfTheDocuments(t *testing.T) {
	const root = "../.."
	documents := documentsUnder(t, root)
	if len(documents) < 5 {
		t.Fatalf("only %d documents were found under %s", len(documents), root)
	}
	for path, doc := range documents {
		for _, link := range doc.links {
			file, anchor, _ := strings.Cut(link, "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", path, link)
				continue
			}
			if to, isDocument := documents[target]; anchor != "" && isDocument && !slices.Contains(to.anchors, anchor) {
				t.Errorf("%s links to %s: there is no such heading", path, link)
			}
		}
	}
}

// document is what a Markdown file links to, and what can be linked to in it.
type document struct{ links, anchors []string }

func documentsUnder(t *testing.T, root string) map[string]document {
	t.Helper()
	documents := map[string]document{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "bin" || entry.Name() == "dist") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // the repository's own
		if err != nil {
			return err
		}
		documents[path] = parseDocument(string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return documents
}

var (
	fence      = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	codeSpan   = regexp.MustCompile("`[^`\n]*`")
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	anchorTag  = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	inlineLink = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)[^)]*\)`)
	scheme     = regexp.MustCompile(`^[a-z]+:`)
)

func parseDocument(text string) document {
	text = fence.ReplaceAllString(text, "")
	var doc document
	seen := map[string]int{}
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		slug := slugOf(h[1])
		if n := seen[slug]; n > 0 {
			doc.anchors = append(doc.anchors, slug+"-"+strconv.Itoa(n))
		} else {
			doc.anchors = append(doc.anchors, slug)
		}
		seen[slug]++
	}
	for _, a := range anchorTag.FindAllStringSubmatch(text, -1) {
		doc.anchors = append(doc.anchors, a[1])
	}
	for _, l := range inlineLink.FindAllStringSubmatch(codeSpan.ReplaceAllString(text, ""), -1) {
		if !scheme.MatchString(l[1]) {
			doc.links = append(doc.links, l[1])
		}
	}
	return doc
}

// slugOf is the anchor that GitHub gives a heading: small letters, no punctuation, a hyphen for each space.
func slugOf(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		case r == ' ':
			return '-'
		}
		return -1
	}, strings.TrimSpace(title))
}

func TestParseDocument(t *testing.T) {
	doc := parseDocument("# A title: `code`, and more\n\n## Same\n\n## Same\n<a id=\"mine\"></a>\n" +
		"[a](x.md#b) [b](https://e.org) `[c](y.md)`\n\n```\n# no heading\n[d](z.md)\n```\n[e](#same-1 \"title\")\n")
	if want := []string{"a-title-code-and-more", "same", "same-1", "mine"}; !slices.Equal(doc.anchors, want) {
		t.Errorf("anchors %q, want %q", doc.anchors, want)
	}
	if want := []string{"x.md#b", "#same-1"}; !slices.Equal(doc.links, want) {
		t.Errorf("links %q, want %q", doc.links, want)
	}
}
