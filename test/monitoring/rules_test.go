package monitoring

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// promtool runs bin/promtool, which `make monitoring-test` builds.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	bin := inRepository(t, "bin", "promtool")
	require.FileExists(t, bin, "make bin/promtool builds it")
	out, err := exec.Command(bin, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestPrometheusAcceptsTheRules(t *testing.T) {
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", inRepository(t, "deployments", "monitoring", "rules.yaml"))
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "test", "rules", inRepository(t, "deployments", "monitoring", "rules_test.yaml"))
}

// Each alert has a case in which it fires and one in which it does not.
func TestEachAlertIsTestedBothWays(t *testing.T) {
	var file struct {
		Tests []struct {
			Cases []struct {
				Alert    string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, inRepository(t, "deployments", "monitoring", "rules_test.yaml"), &file)
	fires, stays := map[string]bool{}, map[string]bool{}
	for _, one := range file.Tests {
		for _, c := range one.Cases {
			if len(c.Expected) > 0 {
				fires[c.Alert] = true
			} else {
				stays[c.Alert] = true
			}
		}
	}
	for _, a := range alertsOf(readRules(t)) {
		require.True(t, fires[a.Alert], "%s is never tested to fire", a.Alert)
		require.True(t, stays[a.Alert], "%s is never tested not to fire", a.Alert)
	}
}

const runbook = "https://github.com/milvus-coord/milvus/blob/main/docs/operations.md"

// anchor is where an alert's runbook is: MilvusCoordNoActive is at alert-no-active.
func anchor(alert string) string {
	var b strings.Builder
	b.WriteString("alert")
	letters := []rune(strings.TrimPrefix(alert, "MilvusCoord"))
	for i, r := range letters {
		if unicode.IsUpper(r) && (i == 0 || !unicode.IsUpper(letters[i-1])) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func TestAlertsSayWhatToDo(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range alertsOf(readRules(t)) {
		require.False(t, seen[a.Alert], "%s is there twice", a.Alert)
		seen[a.Alert] = true
		require.True(t, strings.HasPrefix(a.Alert, "MilvusCoord"), a.Alert)
		require.Contains(t, []string{"critical", "warning"}, a.Labels["severity"], a.Alert)
		require.NotEmpty(t, a.Annotations["summary"], a.Alert)
		require.NotEmpty(t, a.Annotations["description"], a.Alert)
		require.Equal(t, runbook+"#"+anchor(a.Alert), a.Annotations["runbook_url"], a.Alert)
	}
}

// anchors are the places of a Markdown text that a link can lead to: headings, as GitHub names them, and those put by hand.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ +(.*?)\s*$`).FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(m[1])
		name = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(name, "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	for _, m := range regexp.MustCompile(`<a (?:id|name)="([^"]+)">`).FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	return found
}

func TestAnchors(t *testing.T) {
	require.Equal(t, map[string]bool{"alert-no-active": true, "what-it-does-2": true, "by-hand": true},
		anchors("# alert-no-active\ntext #no\n### What it *does* (2)\n<a id=\"by-hand\"></a>\n"))
	require.Equal(t, "alert-unfinished-ddl", anchor("MilvusCoordUnfinishedDDL"))
}

func TestTheOperationsGuideKnowsEachAlert(t *testing.T) {
	text, err := os.ReadFile(inRepository(t, "docs", "operations.md"))
	require.NoError(t, err)
	there := anchors(string(text))
	for _, a := range alertsOf(readRules(t)) {
		require.True(t, there[anchor(a.Alert)], "docs/operations.md has no anchor %s", anchor(a.Alert))
	}
}

func TestTheReadmeListsEachAlert(t *testing.T) {
	text, err := os.ReadFile(inRepository(t, "deployments", "monitoring", "README.md"))
	require.NoError(t, err)
	for _, a := range alertsOf(readRules(t)) {
		require.Contains(t, string(text), "`"+a.Alert+"`")
	}
}
