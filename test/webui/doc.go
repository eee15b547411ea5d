// Package webui opens the status page of real coordinators in a real browser without a window.
//
// It is a module of its own: what drives the browser is for these tests alone. They need chromium (Debian: apt-get install
// chromium), or the path of another one in CHROMIUM, and say so where there is none.
package webui
