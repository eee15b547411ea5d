package webui

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// took is a duration in three digits.
func took(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 ms"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return length(d)
}

// length is a long duration in its largest unit.
func length(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// size is a number of bytes in units of 1024.
func size(bytes int64) string {
	value, units := float64(bytes), []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && value >= 1024 {
		value, units = value/1024, units[1:]
	}
	if value < 10 && units[0] != "B" {
		return fmt.Sprintf("%.1f %s", value, units[0])
	}
	return fmt.Sprintf("%.0f %s", value, units[0])
}

// moment is a time as people and logs on this host have it; the day is there, because a page may be looked at later.
func moment(t time.Time) string { return t.Local().Format("Jan 2 15:04:05") }

// stamp is a time for programs.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// whole is a figure without its fraction.
func whole(f float64) string { return strconv.FormatFloat(f, 'f', 0, 64) }

// when is a word if it holds, else none.
func when(holds bool, word string) string {
	if holds {
		return word
	}
	return ""
}

// percent is an SVG length. Shares that cannot be seen are made visible, a little.
func percent(p float64) string { return strconv.FormatFloat(p, 'f', 2, 64) + "%" }

// pageLink is the address of a path on a process' HTTP port; empty if what etcd says is no address. The text is from etcd,
// where others write, too.
func pageLink(address, path string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return ""
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return ""
	}
	if net.ParseIP(host) == nil && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return ""
	}
	return "http://" + net.JoinHostPort(host, port) + path
}
