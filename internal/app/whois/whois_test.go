package whois_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/app/whois"
)

const token = "hf_testtesttesttesttesttesttesttest"

func TestAnswerIsRememberedForOneToken(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Write([]byte(`{"name":"ada","isPro":true}`))
	}))
	defer s.Close()
	path := filepath.Join(t.TempDir(), "cache", "identity.json")
	desk := whois.Desk{HTTP: s.Client(), Endpoint: s.URL, Path: path}
	if _, ok := desk.Recall(token); ok {
		t.Error("something is remembered before anything was asked")
	}
	who, notKept, err := desk.Ask(t.Context(), token)
	if err != nil || notKept != nil || who.Name != "ada" {
		t.Fatalf("%+v, %v, %v", who, notKept, err)
	}
	got, ok := desk.Recall(token)
	if !ok || got.Name != "ada" || got.Plan != "pro" || !got.Fresh() || asked != 1 {
		t.Errorf("%+v, %v after %d questions", got, ok, asked)
	}
	raw, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(raw), token) {
		t.Errorf("the token is in the file: %s, %v", raw, err)
	}

	// A fresh token of the same user takes the answer over.
	for _, pair := range [][2]string{{"hf_nobody", "hf_other"}, {token, "hf_fresh"}, {"hf_fresh", token}} {
		if err := desk.Carry(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
		if _, ok := desk.Recall(pair[1]); ok != (pair[0] != "hf_nobody") {
			t.Errorf("carried from %s to %s: %v", pair[0], pair[1], ok)
		}
	}

	// Neither another token nor another Hub gets this answer, and a failed
	// question leaves it.
	if _, ok := desk.Recall("hf_other"); ok {
		t.Error("another token got the answer")
	}
	if _, _, err := desk.Ask(t.Context(), "hf_other"); !errors.Is(err, wire.Unauthorized) {
		t.Errorf("error %v", err)
	}
	elsewhere := whois.Desk{HTTP: s.Client(), Endpoint: "https://hub.example.com", Path: path}
	if _, ok := elsewhere.Recall(token); ok {
		t.Error("another Hub got the answer")
	}
	if _, ok := desk.Recall(token); !ok {
		t.Error("a failed question forgot the answer")
	}
}

func TestAnswerThatCannotBeKept(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"name":"ada"}`)) }))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	who, notKept, err := whois.Desk{HTTP: s.Client(), Endpoint: s.URL, Path: filepath.Join(file, "x")}.Ask(t.Context(), token)
	if err != nil || who.Name != "ada" || notKept == nil {
		t.Errorf("%+v, %v, %v", who, notKept, err)
	}
}
