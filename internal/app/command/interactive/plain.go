package interactive

import (
	"context"
	"errors"
)

// plain is the line mode.
func (r *run) plain(context.Context) (int, error) {
	return 0, errors.New("the line mode is not there yet")
}
