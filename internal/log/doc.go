// Package log makes the process's logger and its line format.
//
// The text format is the bracket format of Milvus, byte for byte, because people and tools read the documented lines:
//
//	[2022/09/21 11:58:33.855 +08:00] [INFO] [sessionutil/session_util.go:641] ["register ACTIVE service successfully"] [ServerID=19]
//
// What it promises: one call of the logger is one line, whatever is logged; a line never holds a raw newline or
// another byte below a space; it can be taken apart again without guessing; encoding a line of plain fields allocates nothing of
// its own. Lines go to standard output, to a file that is rotated by size, or to both. The level can be changed
// while running through [Logging.Level].
//
// What it does not do: it samples nothing and drops nothing, it does not buffer (a line is written when the call
// returns), and it sets no global logger. A panic inside a value's own MarshalLogObject is the caller's.
package log
