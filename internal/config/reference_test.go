package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write docs/configuration.md anew")

const referenceFile = "../../docs/configuration.md"

// TestReferenceDocument holds docs/configuration.md to the table of keys.
func TestReferenceDocument(t *testing.T) {
	made := referenceDocument(t)
	if *update {
		require.NoError(t, os.WriteFile(referenceFile, made, 0o600))
	}
	written, err := os.ReadFile(referenceFile)
	require.NoError(t, err)
	require.Equal(t, string(made), string(written),
		"docs/configuration.md is stale: go test ./internal/config -run TestReferenceDocument -update")
}

const referenceHead = `# Configuration reference

Made from the code (` + "`internal/config`" + `); a test fails when it is stale. What is in effect, and where each value comes from, says
` + "`milvus config`; `milvus config --check`" + ` only validates.

**Where values come from**, lowest precedence first: the defaults below; ` + "`milvus.yaml`, `_test.yaml`, `default.yaml`, `user.yaml`" + `
in the directory that ` + "`MILVUSCONF`" + ` names, else in ` + "`./configs`" + `; environment variables; variables with the prefix
` + "`MILVUS_CONF_`" + `. Everything is read once: **a change needs a restart**, except of ` + "`log.level`" + `, which ` + "`PUT /log/level`" + ` changes until
then. No key is read from etcd.

**Names**: case, dots, slashes and underscores do not count, so that any spelling of a key is its variable too; the usual one is
in the first column, under the key. *Also* is a second name of equal standing; *older* names are read when the key itself is
not set, or set to its default. A misspelt key in a section that the coordinators own is a warning; a value that is not allowed
ends the start with exit code 1 and a message that names file, line and what would be allowed. Keys of Milvus' other
components are left alone: the file of a Milvus cluster can be used as it is. *No effect here* marks what is read and checked
because such files have it, and is acted on by nobody yet.

**Secrets** are marked; they are shown as ` + "`******`" + ` everywhere. No key names a file to read one from: give it as a variable.

Beside these there are four variables: ` + "`MILVUSCONF`, `MILVUS_RUN_DIR`" + ` (folder of the pid files, else ` + "`/run/milvus` or `/tmp/milvus`" + `),
and Go's own ` + "`GOMEMLIMIT` and `GOMAXPROCS`" + `.
`

// referenceDocument is the document: a table for each top section, introduced by its comment in configs/milvus.yaml.
func referenceDocument(t *testing.T) []byte {
	t.Helper()
	intros := sectionIntros(t)
	var sections []string
	rows := map[string][]KeyDoc{}
	for _, doc := range Reference() {
		section, _, _ := strings.Cut(doc.Key, ".")
		if rows[section] == nil {
			sections = append(sections, section)
		}
		rows[section] = append(rows[section], doc)
	}
	var out bytes.Buffer
	out.WriteString(referenceHead)
	for _, section := range sections {
		fmt.Fprintf(&out, "\n## %s\n\n", section)
		if intro := intros[section]; intro != "" {
			fmt.Fprintf(&out, "%s\n\n", intro)
		}
		out.WriteString("| key, variable | default | values | meaning |\n|---|---|---|---|\n")
		for _, doc := range rows[section] {
			out.WriteString(referenceRow(doc))
		}
	}
	return out.Bytes()
}

func referenceRow(doc KeyDoc) string {
	names := "`" + doc.Key + "`<br>`" + doc.Env + "`"
	for _, also := range doc.Also {
		names += "<br>also `" + also + "`, `" + envName(also) + "`"
	}
	for _, older := range doc.Legacy {
		names += "<br>older `" + older + "`"
	}
	def := "nothing"
	if doc.Default != "" {
		def = "`" + doc.Default + "`"
	}
	meaning := doc.Doc
	if doc.Secret {
		meaning += " **Secret.**"
	}
	if doc.Unused {
		meaning += " *No effect here.*"
	}
	allowed, _, _ := strings.Cut(doc.Allowed, " (also ")
	cells := []string{names, def, allowed, meaning}
	for i := range cells {
		cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// sectionIntros are the first paragraphs of the comments above the top sections of configs/milvus.yaml.
func sectionIntros(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shippedDir, "milvus.yaml"))
	require.NoError(t, err)
	var root yaml.Node
	require.NoError(t, yaml.Unmarshal(data, &root))
	intros := map[string]string{}
	keys := root.Content[0].Content
	for i := 0; i < len(keys); i += 2 {
		text := strings.ReplaceAll(keys[i].HeadComment, "# ", "")
		paragraphs := strings.Split(text, "\n\n")
		intros[keys[i].Value] = paragraphs[len(paragraphs)-1]
	}
	return intros
}
