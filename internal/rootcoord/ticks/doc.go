// Package ticks decides and publishes the time ticks of the DML channels: "no message with a smaller timestamp will
// follow on this channel".
//
// A [Ticker] serves one term. Sources say up to where they are: the proxies by [Ticker.Report], RootCoord itself by the
// timestamp oracle. Each round publishes, on each channel in use, the least of them. With nothing to send on it does
// nothing: no timer, no waiting.
//
// # What it promises
//
// A tick never goes back. A channel remembers what was last handed to the queue, sent or not: a send of unknown outcome
// counts, since it may arrive. Nothing at or below it is sent later, except the same tick again where the send failed.
// [Config.Floor] carries that over terms. It is a timestamp of the new term's oracle, which starts above all that the
// predecessor's ever gave, and no tick exceeds a timestamp that its own term's oracle gave, for that is one of the
// sources; so all ticks of the new term are above all of the old. What this package cannot prevent is a tick of a deposed
// predecessor that was already in the network: it comes late, it is low, and readers pass over it.
//
// A tick does not pass a DDL in flight. [Ticker.Begin] notes a hold first and takes its timestamp then. A round takes its
// own timestamp first and looks at the holds then. If it sees the hold, it stays below it, or off the channel while the
// hold's timestamp is not known yet. If it does not, the hold was noted after the round's timestamp had been given, so
// the hold's is greater. Either way a tick that could be before the DDL's message is smaller. The hold ends when the
// message was sent. If the send failed with unknown outcome it may end too, and the message be sent again with a new
// hold: the queue (package mq) keeps the order in which messages of a channel were handed to it.
//
// # Sources that fall silent
//
// Milvus stops all ticks while one proxy is silent, until its session ends, 60 s later. Here a proxy that has not
// reported for [Config.Silence] is left out until it reports again; what it says then may be old, and cannot pull a tick
// back. What that costs: a message that it took a timestamp for before it fell silent may follow a greater tick. Such a
// message belongs to a write that was not acknowledged, nor can it take new timestamps: they come from the very
// coordinator that it does not reach. The queue's order, by which readers resume, is not touched. So no acknowledged
// write is lost or hidden; but a read at a timestamp in that gap may miss a write that a later read at the same
// timestamp sees. Who prefers Milvus' way sets Silence to 0.
//
// A source that was added and has not reported yet holds ticks back like any other, for as long as Silence.
package ticks
