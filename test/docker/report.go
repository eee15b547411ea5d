package docker

import "time"

// Report is a line of what the client inside the network prints.
type Report struct {
	At       time.Time
	Answers  int           // so far
	Failures []string      // so far
	Pause    time.Duration // the longest time without an answer that ended since the last line, or has not ended
	Final    bool          // the last line; the calls are over
	Wrong    []string      // what must not be, each a sentence
}
