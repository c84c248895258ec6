package remote

import "time"

// Hurry makes the pauses between tries short, and the time short that an answer
// may take longer than its command.
func (c *Client) Hurry(margin time.Duration) {
	c.margin = margin
	for i := range c.waits {
		c.waits[i] /= 20
	}
}
