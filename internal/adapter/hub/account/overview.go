package account

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// Profile is what everybody may see of a user or an organisation.
type Profile struct {
	Name      string
	Org       bool
	Fullname  string
	Models    int
	Datasets  int
	Spaces    int
	Followers int
	Raw       json.RawMessage // the whole answer as it came
}

// Profile reads the profile of a user or, where there is none of that name, an
// organisation.
func (a *API) Profile(ctx context.Context, name string) (*Profile, error) {
	if err := wire.CheckNamespace("name", name); err != nil {
		return nil, err
	}
	p, err := a.profile(ctx, name, false)
	if errors.Is(err, wire.NotFound) {
		return a.profile(ctx, name, true)
	}
	return p, err
}

func (a *API) profile(ctx context.Context, name string, org bool) (*Profile, error) {
	kind := "users"
	if org {
		kind = "organizations"
	}
	var raw json.RawMessage
	op := "read the profile of " + name
	if _, err := a.conn.JSON(ctx, wire.Request{Op: op, Path: wire.Path("api", kind, name, "overview")}, &raw); err != nil {
		return nil, err
	}
	var in struct {
		User      string `json:"user"`
		Name      string `json:"name"`
		Fullname  string `json:"fullname"`
		Models    int    `json:"numModels"`
		Datasets  int    `json:"numDatasets"`
		Spaces    int    `json:"numSpaces"`
		Followers int    `json:"numFollowers"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return nil, &wire.Error{Kind: wire.Unexpected, Op: op, Message: "the answer is not the JSON expected", Err: err}
	}
	p := &Profile{
		Name: in.Name, Org: org, Fullname: in.Fullname, Models: in.Models, Datasets: in.Datasets, Spaces: in.Spaces,
		Followers: in.Followers, Raw: raw,
	}
	if in.User != "" {
		p.Name = in.User
	}
	return p, nil
}
