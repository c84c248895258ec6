package lifecycle

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

// maxDescription is how many characters the short description of a Space has.
const maxDescription = 60

// wish is what a new repository should be like.
type wish struct {
	Name             string          `json:"name"`
	Organization     string          `json:"organization"`
	Type             string          `json:"type"`
	Visibility       string          `json:"visibility"`
	Private          *bool           `json:"private"`
	License          string          `json:"license"`
	Region           string          `json:"region"`
	SDK              string          `json:"sdk"`
	Hardware         string          `json:"hardware"`
	SleepTimeSeconds *int64          `json:"sleepTimeSeconds"`
	Secrets          []repo.KeyValue `json:"secrets"`
	Variables        []repo.KeyValue `json:"variables"`
	Volumes          json.RawMessage `json:"volumes"`
	Template         string          `json:"template"`
	ShortDescription string          `json:"short_description"`
	DevModeEnabled   bool            `json:"devModeEnabled"`
	Files            []struct {
		Path     string `json:"path"`
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
	} `json:"files"`
}

// visibility reads the two ways to say who sees a repository; empty is neither.
func visibility(text string, private *bool, t repo.Type) (string, error) {
	switch {
	case text == repo.Protected && t != repo.Space:
		return "", answer.Refuse(http.StatusBadRequest, "Only Spaces can be protected")
	case text == "", text == repo.Public, text == repo.Private, text == repo.Protected:
	default:
		return "", answer.Refuse(http.StatusBadRequest, `"visibility" must be one of [public, private, protected]`)
	}
	if text == "" && private != nil {
		text = repo.Public
		if *private {
			text = repo.Private
		}
	}
	return text, nil
}

// id is the full name a client means: a bare name is in the caller's own
// namespace.
func id(caller *account.Caller, name, organization string) string {
	switch {
	case organization != "":
		return organization + "/" + name
	case strings.Contains(name, "/"):
		return name
	}
	return caller.Name() + "/" + name
}

// spec checks a wish.
func (v wish) spec(caller *account.Caller) (repo.CreateSpec, error) {
	var spec repo.CreateSpec
	t, ok := repo.ParseType(v.Type)
	if !ok {
		return spec, answer.Refuse(http.StatusBadRequest, `"type" must be one of [model, dataset, space]`)
	}
	seen, err := visibility(v.Visibility, v.Private, t)
	if err != nil {
		return spec, err
	}
	if t == repo.Space && v.SDK != "gradio" && v.SDK != "docker" && v.SDK != "static" {
		return spec, answer.Refuse(http.StatusBadRequest, `"sdk" must be one of [gradio, docker, static]`)
	}
	if len([]rune(v.ShortDescription)) > maxDescription {
		return spec, answer.Refuse(http.StatusBadRequest, fmt.Sprintf(`"short_description" must have %d characters at most`, maxDescription))
	}
	if strings.ContainsAny(v.License, "\n\r:#") {
		return spec, answer.Refuse(http.StatusBadRequest, `"license" is not the id of a license`)
	}
	spec = repo.CreateSpec{
		Type: t, ID: id(caller, v.Name, v.Organization), Visibility: seen, License: v.License, Region: v.Region,
	}
	if t == repo.Space {
		spec.SDK, spec.Hardware, spec.SleepTimeSeconds = v.SDK, v.Hardware, v.SleepTimeSeconds
		spec.Secrets, spec.Variables, spec.Volumes = v.Secrets, v.Variables, v.Volumes
		spec.Template, spec.ShortDescription, spec.DevMode = v.Template, v.ShortDescription, v.DevModeEnabled
	}
	for _, f := range v.Files {
		body := []byte(f.Content)
		if f.Encoding == "base64" {
			if body, err = base64.StdEncoding.DecodeString(f.Content); err != nil {
				return spec, answer.Refuse(http.StatusBadRequest, fmt.Sprintf("file %q is not base64", f.Path))
			}
		}
		spec.Files = append(spec.Files, repo.Change{Op: repo.PutAuto, Path: f.Path, Content: body})
	}
	return spec, nil
}

func (s *Routes) create(w http.ResponseWriter, r *http.Request) error {
	caller := account.From(r.Context())
	if caller == nil {
		return answer.Login("")
	}
	var v wish
	if err := answer.Body(w, r, &v); err != nil {
		return err
	}
	spec, err := v.spec(caller)
	if err != nil {
		return err
	}
	at, err := s.o.Repos.Create(r.Context(), spec)
	if err != nil {
		return refuse(r, spec, err)
	}
	answer.JSON(w, http.StatusOK, map[string]string{"url": at.URL(answer.Base(r)), "name": at.ID(), "id": at.Hex()})
	return nil
}

// refuse adds to the refusal of a taken name where the repository is.
func refuse(r *http.Request, spec repo.CreateSpec, err error) error {
	if !repo.Taken(err) {
		return err
	}
	return &answer.Error{
		Status: http.StatusConflict, Message: fmt.Sprintf("You already created this %s repo", spec.Type),
		Extra: map[string]any{"url": answer.Base(r) + "/" + spec.Type.Prefix() + spec.ID},
	}
}

func (s *Routes) remove(w http.ResponseWriter, r *http.Request) error {
	var v wish
	if err := answer.Body(w, r, &v); err != nil {
		return err
	}
	t, ok := repo.ParseType(v.Type)
	if !ok {
		return answer.Refuse(http.StatusBadRequest, `"type" must be one of [model, dataset, space]`)
	}
	caller := account.From(r.Context())
	err := s.o.Repos.Delete(r.Context(), t, id(caller, v.Name, v.Organization))
	var moved *repo.Moved
	if errors.As(err, &moved) && strings.EqualFold(moved.From, moved.To) {
		err = s.o.Repos.Delete(r.Context(), t, moved.To) // the same name in other letters
	} else if moved != nil {
		err = repo.Unknown(caller) // what now has another name is not deleted by its old one
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "OK") // the client has gone
	return nil
}

func (s *Routes) move(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		From string `json:"fromRepo"`
		To   string `json:"toRepo"`
		Type string `json:"type"`
	}
	if err := answer.Body(w, r, &body); err != nil {
		return err
	}
	t, ok := repo.ParseType(body.Type)
	other := s.o.Move[body.Type]
	switch {
	case other != nil:
		if err := other(r.Context(), body.From, body.To); err != nil {
			return err
		}
	case !ok:
		return answer.Refuse(http.StatusBadRequest, `"type" must be one of [model, dataset, space]`)
	default:
		_, err := s.o.Repos.Move(r.Context(), t, body.From, body.To)
		var moved *repo.Moved
		if errors.As(err, &moved) {
			_, err = s.o.Repos.Move(r.Context(), t, moved.To, body.To)
		}
		if err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, "OK") // the client has gone
	return nil
}

func (s *Routes) duplicate(w http.ResponseWriter, r *http.Request, at *repo.Repo) error {
	caller := account.From(r.Context())
	if caller == nil {
		return answer.Login("")
	}
	var v struct {
		wish
		Repository string `json:"repository"`
	}
	if err := answer.Body(w, r, &v); err != nil {
		return err
	}
	seen, err := visibility(v.Visibility, v.Private, at.Type())
	if err != nil {
		return err
	}
	spec := repo.CreateSpec{Type: at.Type(), ID: id(caller, v.Repository, ""), Visibility: seen}
	if at.Type() == repo.Space {
		spec.Hardware, spec.SleepTimeSeconds, spec.Volumes = v.Hardware, v.SleepTimeSeconds, v.Volumes
		spec.Secrets, spec.Variables, spec.DevMode = v.Secrets, v.Variables, v.DevModeEnabled
	}
	to, err := s.o.Repos.Duplicate(r.Context(), at, spec, answer.Base(r))
	if err != nil {
		return refuse(r, spec, err)
	}
	answer.JSON(w, http.StatusOK, map[string]string{"url": to.URL(answer.Base(r))})
	return nil
}
