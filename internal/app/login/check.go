package login

import (
	"errors"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/account"
	"github.com/ml-intern/ml-intern/internal/config/place"
)

// Pasted is a token out of what a person has pasted, or why it can be none.
func Pasted(raw string) (string, error) {
	token := place.CleanToken(raw)
	switch {
	case token == "":
		return "", errors.New("the token is empty")
	case strings.HasPrefix(token, "api_org"):
		return "", errors.New("a token that starts with api_org belongs to an organisation: use a user access token")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "", errors.New("the token holds blanks or characters that no token has")
	}
	return token, nil
}

// Shortcomings are what much of the program needs and a token may not do.
func Shortcomings(who *account.Identity) []string {
	var out []string
	if who.Refusal(account.Infer, who.Name) != "" {
		out = append(out, "this token may not call Inference Providers: models of the router will refuse it")
	}
	if who.Refusal(account.WriteRepo, who.Name) != "" {
		out = append(out, "this token may not write: models and datasets cannot be pushed with it")
	}
	return out
}
