// Package webui is the status page, /webui/ on a coordinator's HTTP port: who is active and who stands by, what is wrong,
// how the last takeovers went, and how etcd is.
//
// # What it promises
//
// The page is whole as the server sends it, and kept up to date by server-sent events: a change of the sessions is pushed
// when etcd tells of it; leases, lags and states are looked at once a second. Page and updates are made by the same
// functions, of package markup, which escapes all that others have written. What is shown is what is known: an etcd or a
// process that does not answer is named, what was known last stays, and nothing waits for it longer than a moment.
//
// It costs nothing while nobody looks: there is no goroutine, no watch and no connection then. All viewers share one
// [feed]. Their number is bounded, a slow one gets the latest state instead of a queue, and one that takes nothing is
// dropped. It holds no lock that the coordinator takes, and the role, its term and its calls know nothing of it.
//
// The page needs no other host and no inline script or style, and its Content-Security-Policy allows none.
//
// # Actions
//
// Unless [Config.Actions] is set there is no route that changes anything. If it is, a switchover, a pause and its end can
// be asked for. Such a request must be a POST, must not come from another site by what the browser says (Sec-Fetch-Site,
// Origin), must carry the token that the page contains, and must be sent to an IP address, localhost or this host's name:
// a foreign name that was made to resolve to this host could otherwise read the token. It is logged with its sender.
//
// # What it does not do
//
// It asks for no password: whoever reaches the port sees the page, and may act if actions are on. It keeps no history of
// its own.
package webui
