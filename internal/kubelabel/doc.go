// Package kubelabel writes into Kubernetes who is active, so that a Service can select that pod and no other.
//
// A process labels its own pod, for each of its roles:
//
//	milvus.io/<role>-state: active | standby              a label, for the Service's selector
//	milvus.io/<role>-term: "4711"                         an annotation: the term that is or was last served
//	controller.kubernetes.io/pod-deletion-cost: "1"       an annotation: how many roles it is active in
//
// The last one is Kubernetes' own: of the pods that a rolling update or a scale-down may remove next, the one with the
// lowest cost goes first. So standbys are replaced before the active one, and an update costs one switch.
//
// # What it promises
//
// [Labeller.Set] returns at once, whatever becomes of the API server: serving, taking over and stopping never wait for a
// label. One goroutine, [Labeller.Run], does the talking. It tries again until the pod says what is so, and looks again
// every half minute, for somebody may have changed it by hand. The token is read anew for each request, since kubelet
// replaces it while the process runs.
//
// # What the label is worth
//
// It is a hint for routing, and decides nothing: who is active is in etcd, and the fence and the deadline of a term are
// what keeps a second one from answering. A caller that a stale label brings to the wrong pod is told "not ready, try
// again". So the question is only for how long a Service may point to the wrong one:
//
//   - Stopped or handed over: the process takes its label away itself, before it ends.
//   - Killed, and restarted in the same pod: labels outlive a container, but the pod is not ready then and no endpoint;
//     before it can be, the new process has registered, and the first thing that Run does is to write "standby".
//   - Host lost, cut off, paused: the pod keeps its label and, for as long as nobody misses it, its readiness. Kubernetes
//     finds that out after some 40 s, the successor is active after 6. Therefore a process that becomes active also takes
//     the label from the other pods that [Config.Fellows] selects. This is why it needs to list pods, beside patching them.
//
// Taking away is fenced like a write: only from a pod whose annotated term is smaller than one's own, and only if that pod
// has not changed since (its resourceVersion is part of the patch). A deposed process that wakes up in the middle of it
// therefore takes nothing from its successor. Its own late "active" may arrive after that; it is corrected within the
// second in which it learns that its term is over. RBAC cannot say "its own pod", so patching is allowed for the
// namespace's pods or not at all; without Fellows nobody else is touched and listing is not needed.
//
// # What it does not do
//
// It creates and deletes nothing, it watches nothing, and it is no client for Kubernetes: two requests, on net/http.
package kubelabel
