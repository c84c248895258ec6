package clock

import (
	"encoding/json"
	"math/rand/v2"
	"time"
)

// state is a clock as it is stored.
type state struct {
	Now     time.Time `json:"now"`
	Counter uint64    `json:"counter"`
	Seed    uint64    `json:"seed"`
	Random  []byte    `json:"random"`
}

// Save writes down the time, the ids given out and the generator.
func (c *Clock) Save() (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	random, err := c.source.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return json.Marshal(state{c.read(), c.counter, c.seed, random})
}

// Load goes on where Save stopped; timers are their owners' to start again. A
// clock that runs with the real time keeps its own time, unless that lies
// before the stored one.
func (c *Clock) Load(raw json.RawMessage) error {
	var s state
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	source := &rand.PCG{}
	if err := source.UnmarshalBinary(s.Random); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counter, c.seed, c.source, c.rand = s.Counter, s.Seed, source, rand.New(source)
	if c.scale == 0 || s.Now.After(c.read()) {
		c.start, c.origin = s.Now, time.Now()
	}
	c.now = s.Now.Truncate(time.Millisecond)
	return nil
}
