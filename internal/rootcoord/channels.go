package rootcoord

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// channelPool deals the physical DML channels out to new collections: those with the fewest collections first, then
// those this process has dealt out least, then in their order. It lives for one term.
type channelPool struct {
	mu       sync.Mutex
	channels []channelLoad
	numbers  map[string]int // of the channels, by name
	// strays count the collections on channels that are not of the pool, as after a change of the configuration. No new
	// collection comes there, but readers wait for time ticks.
	strays map[string]int
}

type channelLoad struct {
	name        string
	collections int // live collections that use the channel, in whatever state
	dealt       int // times given out by this process
}

// newChannelPool makes a pool of these channels over what collections use already.
func newChannelPool(names []string, inUse map[string]int) *channelPool {
	p := &channelPool{channels: make([]channelLoad, len(names)), numbers: make(map[string]int, len(names)), strays: maps.Clone(inUse)}
	for i, name := range names {
		p.channels[i] = channelLoad{name: name, collections: inUse[name]}
		p.numbers[name] = i
		delete(p.strays, name)
	}
	return p
}

// maxChannels bounds what a stray channel name can make the pool grow to.
const maxChannels = 1 << 16

// channelNames are the channels of a pool of so many, and up to the last numbered one in use. prefix begins every name.
func channelNames(prefix string, size int, inUse map[string]int) []string {
	prefix += "_"
	for name := range inUse {
		digits, numbered := strings.CutPrefix(name, prefix)
		if i, err := strconv.Atoi(digits); numbered && err == nil && i >= 0 && i < maxChannels && strconv.Itoa(i) == digits {
			size = max(size, i+1)
		}
	}
	names := make([]string, size)
	for i := range names {
		names[i] = prefix + strconv.Itoa(i)
	}
	return names
}

// take deals out n distinct channels and counts a collection on each.
func (p *channelPool) take(n int) ([]string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n > len(p.channels) {
		return nil, fmt.Errorf("%d shards asked for, there are %d channels", n, len(p.channels))
	}
	order := make([]int, len(p.channels))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		a, b := p.channels[i], p.channels[j]
		return cmp.Or(cmp.Compare(a.collections, b.collections), cmp.Compare(a.dealt, b.dealt), cmp.Compare(i, j))
	})
	names := make([]string, n)
	for i, number := range order[:n] {
		c := &p.channels[number]
		c.collections++
		c.dealt++
		names[i] = c.name
	}
	return names, nil
}

// release counts a collection less on each of the channels.
func (p *channelPool) release(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		if i, ok := p.numbers[name]; ok {
			p.channels[i].collections--
		} else if p.strays[name]--; p.strays[name] <= 0 {
			delete(p.strays, name)
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
			names = append(names, c.name)
		}
	}
	return append(names, slices.Sorted(maps.Keys(p.strays))...)
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
