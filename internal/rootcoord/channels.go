package rootcoord

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// channelPool deals the physical DML channels out to new collections: those with the fewest collections first, then
// those this process has dealt out least, then by number. It lives for one term.
type channelPool struct {
	prefix string

	mu       sync.Mutex
	channels []channelLoad // by number
}

type channelLoad struct {
	number      int
	collections int // live collections that use the channel, in whatever state
	dealt       int // times given out by this process
}

// newChannelPool makes a pool of the configured size over what collections use already. It grows to hold every numbered
// channel in use; names of another form count for nothing.
func newChannelPool(cluster string, size int, inUse map[string]int) *channelPool {
	p := &channelPool{prefix: cluster + "-rootcoord-dml_"}
	for name := range inUse {
		if i, ok := p.number(name); ok {
			size = max(size, i+1)
		}
	}
	p.channels = make([]channelLoad, size)
	for i := range p.channels {
		p.channels[i].number = i
		p.channels[i].collections = inUse[p.name(i)]
	}
	return p
}

// maxChannels bounds what a stray channel name can make the pool grow to.
const maxChannels = 1 << 16

func (p *channelPool) name(i int) string { return p.prefix + strconv.Itoa(i) }

func (p *channelPool) number(name string) (int, bool) {
	digits, ok := strings.CutPrefix(name, p.prefix)
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(digits)
	return i, err == nil && i >= 0 && i < maxChannels && p.name(i) == name
}

// take deals out n distinct channels and counts a collection on each.
func (p *channelPool) take(n int) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > len(p.channels) {
		return nil, fmt.Errorf("%d shards asked for, there are %d channels", n, len(p.channels))
	}
	order := slices.Clone(p.channels)
	slices.SortFunc(order, func(a, b channelLoad) int {
		return cmp.Or(cmp.Compare(a.collections, b.collections), cmp.Compare(a.dealt, b.dealt), cmp.Compare(a.number, b.number))
	})
	names := make([]string, n)
	for i, c := range order[:n] {
		p.channels[c.number].collections++
		p.channels[c.number].dealt++
		names[i] = p.name(c.number)
	}
	return names, nil
}

// release counts a collection less on each of the channels.
func (p *channelPool) release(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		if i, ok := p.number(name); ok && i < len(p.channels) {
			p.channels[i].collections--
		}
	}
}

// used names the channels that collections use.
func (p *channelPool) used() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, c := range p.channels {
		if c.collections > 0 {
			names = append(names, p.name(c.number))
		}
	}
	return names
}

// size is the number of channels that there are to use.
func (p *channelPool) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.channels)
}

// virtualChannels are the channels of one collection's shards. The physical channel is what stands before the last '_'.
func virtualChannels(physical []string, collectionID int64) []string {
	names := make([]string, len(physical))
	for i, name := range physical {
		names[i] = fmt.Sprintf("%s_%dv%d", name, collectionID, i)
	}
	return names
}
