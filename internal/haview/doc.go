// Package haview is an operator's view of who is active: the sessions in etcd, joined with what the processes say of
// themselves, and what is wrong with it in words.
//
// Everything that etcd shows is of one revision. The processes are asked after that, each for the revision that etcd had,
// so the lag that is shown is one that lasts: a standby that is a moment behind reaches the revision before it answers. A
// process that cannot be asked is shown with what etcd knows of it. [Reader.Read] does both; who cannot wait for the
// processes shows [Reader.Sessions] first, completed from the view before it by [View.Recall], and [Reader.Ask] after that.
// But for [Reader.Switch] nothing is written.
package haview
