// Package history records what concurrent callers of RootCoord see while the role changes hands, and checks that it could
// have happened one call at a time.
//
// The model is of the interface, not of the implementation: names stand for collections, aliases for names' collections,
// and a read shows what the last change has left. A call whose outcome nobody knows may have taken effect at any time after
// it began, or never. Some callers follow the active coordinator; others hold on to one process, which is how an answer of
// a deposed one is found. Timestamps and ids are checked apart: each is given once, and no later call gets an earlier one.
//
// A checker that finds nothing proves little, so it is shown to find what it is for: builds without the fence, and without
// the deadline of answers, violate the model.
package history
