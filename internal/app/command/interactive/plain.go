package interactive

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/line"
)

// plain is the line mode.
func (r *run) plain(ctx context.Context) (int, error) {
	o, release := r.conversation(ctx)
	defer release()
	return r.ended(line.Run(ctx, line.Options{Options: o, ScreenReader: r.spoken()}))
}
