// Package markup builds HTML, and SVG in it, out of Go calls:
//
//	markup.El("td", markup.Class("num"), markup.Text(text))
//
// # What it promises
//
// Data stays data. A string becomes part of a page by [Text] and [Attr], which escape it, [Class] and [Href]; nothing else
// takes one. Names of elements and attributes are constants, which the compiler sees to: their type has no name outside of
// this package. There is no way to make markup of a string.
//
// Attr knows the attributes that only say something. It takes no data for one that is a program, a style or an address, and
// there is no style and no on* attribute at all. An address from elsewhere goes through Href, which admits http, https and
// relative paths; the addresses in [Fixed] are constants. What is refused for its name is a mistake in the program, and panics.
//
// Characters that HTML cannot hold are replaced by U+FFFD: NUL, and what is no UTF-8. All others arrive in a browser as they
// were given, a carriage return too.
//
// # What it does not do
//
// It knows no grammar: that a p holds no div, that an attribute is given once, or that an id is there once is up to the
// caller. It adds no white space, which shows between words and not between blocks.
//
// It is not html/template because that looks methods up by name, which keeps every exported method of the program in the
// binary: docs/adr/0005.
package markup
