package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/login"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// serviceWait bounds one request to a service.
const serviceWait = 4 * time.Second

// soon is when a token that cannot be renewed is about to end.
const soon = time.Hour

// login is the login in force.
func (o Options) login(ctx context.Context) login.State {
	if o.Login != nil {
		return o.Login(ctx)
	}
	token, source := o.Loaded.HFToken()
	return login.State{Token: token, Source: source}
}

// token tells whether there is a Hub token and whether the Hub knows it.
func (o Options) token(ctx context.Context) []Finding {
	const name = "Hub token"
	ctx, cancel := context.WithTimeout(ctx, serviceWait)
	defer cancel()
	now := o.login(ctx)
	token, source := now.Token, now.Source
	if token == "" {
		return []Finding{{name, Warning, "there is none: models of the Hugging Face router and the Hub cannot be used", "set HF_TOKEN or run ml-intern login"}}
	}
	if o.Whoami == nil {
		return one(name, OK, "from "+source+", not checked")
	}
	who, err := o.Whoami(ctx, token)
	lasts := now.Kind()
	if lasts != "" {
		lasts = "; " + lasts
	}
	switch {
	case errors.Is(err, wire.Unauthorized):
		return []Finding{{name, Failure, fmt.Sprintf("from %s: the Hub does not know it", source), "ml-intern login saves another"}}
	case err != nil:
		return one(name, Warning, fmt.Sprintf("from %s, not checked: %v", source, err))
	case now.OAuth && !now.Renewable && !now.Ends.IsZero() && time.Until(now.Ends) < soon:
		return []Finding{{name, Warning, fmt.Sprintf("from %s, of %s%s", source, who.Name, lasts), "ml-intern login makes another"}}
	case now.Lacks("inference-api"):
		return []Finding{{name, Warning, fmt.Sprintf("from %s, of %s: it may not call Inference Providers%s", source, who.Name, lasts), "ml-intern login --device --scope inference-api"}}
	case now.Lacks("write-repos"):
		return []Finding{{name, Warning, fmt.Sprintf("from %s, of %s: it may not write repositories%s", source, who.Name, lasts), "ml-intern login --device --scope write-repos,jobs"}}
	case who.Refusal(account.Infer, who.Name) != "":
		return one(name, Warning, fmt.Sprintf("from %s, of %s: it may not call Inference Providers", source, who.Name))
	case who.Refusal(account.WriteRepo, who.Name) != "":
		return one(name, Warning, fmt.Sprintf("from %s, of %s: it may not write repositories", source, who.Name))
	}
	return one(name, OK, fmt.Sprintf("from %s, of %s (%s)%s", source, who.Name, who.Plan(), lasts))
}

// model tells whether the model in force can be used.
func (o Options) model(ctx context.Context) []Finding {
	const name = "model"
	switch {
	case o.Model == "":
		return nil
	case o.ModelErr != nil:
		f := Finding{Name: name, Status: Failure, Detail: o.ModelErr.Error()}
		if fault, ok := o.ModelErr.(*llm.Fault); ok {
			f.Hint = fault.Hint
		}
		return []Finding{f}
	case o.ModelURL != "" && o.HTTP != nil:
		took, err := o.reach(ctx, o.ModelURL)
		if err != nil {
			return []Finding{{name, Warning, fmt.Sprintf("%s: %s does not answer: %v", o.Model, withoutUser(o.ModelURL), err), "start the model server"}}
		}
		return one(name, OK, fmt.Sprintf("%s at %s, %d ms", o.Model, withoutUser(o.ModelURL), took.Milliseconds()))
	}
	return one(name, OK, o.Model+" via "+o.ModelLabel)
}

// router tells whether the Hugging Face router answers, and how fast.
func (o Options) router(ctx context.Context) []Finding {
	const name = "router"
	address := o.Loaded.URL("HF_ROUTER_BASE_URL").Value
	if o.HTTP == nil {
		return nil
	}
	took, err := o.reach(ctx, address+"/models")
	if err != nil {
		return one(name, Warning, fmt.Sprintf("%s does not answer: %v", withoutUser(address), err))
	}
	return one(name, OK, fmt.Sprintf("%s answers in %d ms", withoutUser(address), took.Milliseconds()))
}

// reach measures the time to the first bytes of an answer, whatever it says.
func (o Options) reach(ctx context.Context, address string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, serviceWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	resp, err := o.HTTP.Do(req)
	if err != nil {
		return 0, cause(err)
	}
	took := time.Since(begun)
	if err := resp.Body.Close(); err != nil {
		return 0, err
	}
	if resp.StatusCode >= http.StatusInternalServerError {
		return took, fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return took, nil
}
