package doctor

import (
	"context"
	"sync"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/app/messenger"
)

// notifications tells which destinations there are, and which of them answer.
// Nothing is sent.
func (o Options) notifications(ctx context.Context) []Finding {
	const name = "notifications"
	if len(o.Loaded.Config.Messaging.Destinations) == 0 {
		return one(name, OK, "no destinations")
	}
	if !o.Loaded.Config.Messaging.Enabled {
		return one(name, OK, "off: messaging.enabled is false")
	}
	if o.HTTP == nil {
		return nil
	}
	all := messenger.Receivers(o.Loaded, o.HTTP)
	out := make([]Finding, len(all))
	var wait sync.WaitGroup
	for i, r := range all {
		wait.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, serviceWait)
			defer cancel()
			out[i] = receiver(ctx, r)
			out[i].Name = name
		})
	}
	wait.Wait()
	return out
}

func receiver(ctx context.Context, r messenger.Receiver) Finding {
	what := r.Name + " (" + r.Settings.Provider + "): "
	if r.Err != nil {
		return Finding{Status: Failure, Detail: what + r.Err.Error()}
	}
	p, ok := r.Gateway.(messaging.Prober)
	if !ok {
		return Finding{Status: OK, Detail: what + "not checked"}
	}
	found, err := p.Probe(ctx)
	switch {
	case err == nil:
		return Finding{Status: OK, Detail: what + found}
	case messaging.FaultOf(err).Retryable:
		return Finding{Status: Warning, Detail: what + err.Error()}
	}
	return Finding{Status: Failure, Detail: what + err.Error(), Hint: "ml-intern notify test " + r.Name + " sends a message"}
}
