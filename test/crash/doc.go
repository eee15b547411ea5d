// Package crash kills a RootCoord at every failpoint there is, one after the other, and looks at what its successor makes
// of it. `make crash` runs it and prints how many of the points were covered.
//
// A story for a point has three parts: what is there before, the call in the middle of which the process dies, and what
// may be seen afterwards. Then the call is made again, as a client would, and has to succeed; and in the end etcd holds
// exactly as many records of each kind as it does when nobody dies.
package crash
