package log

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parsedLine is a line of the bracket format taken apart.
type parsedLine struct {
	Time    time.Time
	Level   string
	Caller  string
	Message string
	Fields  []parsedField
}

type parsedField struct{ Key, Value string }

// parseLine reads a line as a tool would that knows only the format's rules.
func parseLine(line string) (parsedLine, error) {
	var parsed parsedLine
	rest, found := strings.CutSuffix(line, "\n")
	if !found {
		return parsed, errors.New("no newline at the end")
	}
	for i := range len(rest) {
		if rest[i] < 0x20 {
			return parsed, fmt.Errorf("raw byte %#x at %d", rest[i], i)
		}
	}

	head, rest, found := strings.Cut(rest, "]")
	if !found {
		return parsed, errors.New("no time")
	}
	at, err := time.Parse("["+TimeLayout, head)
	if err != nil {
		return parsed, err
	}
	parsed.Time = at

	for part := 1; rest != ""; part++ {
		var first, second string
		var pair bool
		if first, second, pair, rest, err = parseBracket(rest); err != nil {
			return parsed, err
		}
		switch {
		case pair && part >= 3:
			parsed.Fields = append(parsed.Fields, parsedField{first, second})
		case !pair && part == 1:
			parsed.Level = first
		case !pair && part == 2:
			parsed.Caller = first
		case !pair && part == 3:
			parsed.Message = first
		default:
			return parsed, fmt.Errorf("bracket %d: %q, %q", part, first, second)
		}
	}
	return parsed, nil
}

// parseBracket reads ` [a]` or ` [a=b]`.
func parseBracket(text string) (first, second string, pair bool, rest string, err error) {
	rest, found := strings.CutPrefix(text, " [")
	if !found {
		return "", "", false, "", fmt.Errorf("no bracket at %q", text)
	}
	if first, rest, err = parseToken(rest); err != nil {
		return "", "", false, "", err
	}
	if after, found := strings.CutPrefix(rest, "="); found {
		pair = true
		if second, rest, err = parseToken(after); err != nil {
			return "", "", false, "", err
		}
	}
	rest, found = strings.CutPrefix(rest, "]")
	if !found {
		return "", "", false, "", fmt.Errorf("bracket not closed at %q", rest)
	}
	return first, second, pair, rest, nil
}

// parseToken reads a quoted or a bare text.
func parseToken(text string) (token, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, "]=")
		if end < 0 {
			return "", "", fmt.Errorf("no end of %q", text)
		}
		token = text[:end]
		if strings.ContainsAny(token, ` ["`) {
			return "", "", fmt.Errorf("bare text %q needs quotes", token)
		}
		return strings.ReplaceAll(token, `\ufffd`, "\ufffd"), text[end:], nil
	}
	prefix, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "", fmt.Errorf("%w at %q", err, text)
	}
	token, err = strconv.Unquote(prefix)
	return token, text[len(prefix):], err
}
