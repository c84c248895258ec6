package outlets

import "github.com/ml-intern/ml-intern/internal/app/live"

// userHooks shows the user's own commands what happens, where they want to see it.
func userHooks(o Options) (live.Follower, error) {
	if o.Hooks == nil {
		return nil, nil
	}
	return o.Hooks.Follower(o.Settings), nil
}
