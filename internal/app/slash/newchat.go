package slash

import (
	"context"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/terminal/dialog"
)

// newChat begins a fresh conversation in the same runtime.
func newChat() dialog.Command {
	return dialog.Command{
		Name: "new", Help: "begin a new conversation; the sandbox and the model stay",
		Run: begin(false),
	}
}

// clear is newChat with an empty screen.
func clear() dialog.Command {
	return dialog.Command{
		Name: "clear", Help: "the same, and clear the screen",
		Run: begin(true),
	}
}

func begin(clear bool) run {
	return func(ctx context.Context, talk dialog.Talk, _ string) error {
		_, err := talk.Conversation().Do(ctx, event.NewChat{ClearScreen: clear}, event.TypeNewComplete)
		return err
	}
}
