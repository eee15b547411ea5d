// Package errs is the vocabulary of failures that cross a process border.
//
// A [Kind] is one row of Milvus' error table: a number, a base text, and whether a client may simply try again. Code
// that detects a failure makes an error of a kind with [Kind.With]; code above it wraps with %w and nothing else. The
// one place that turns an error into a Milvus Status is [ToStatus]; the one place that turns a received Status back into
// an error is [FromStatus]. Handlers return plain errors and never build a Status.
//
// What survives the border: the number, the texts, and retriability of an error that was not wrapped. What is lost: the
// Go type of anything that is not a Kind, which arrives as [Unexpected].
package errs
