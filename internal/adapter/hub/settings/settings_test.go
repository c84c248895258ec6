package settings_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/hubtest"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/settings"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

func api(t *testing.T, h http.HandlerFunc) (*settings.API, *hubtest.Net) {
	t.Helper()
	n := hubtest.New(t)
	n.ServeHub(h)
	c, err := wire.New(wire.Options{HTTP: n.Client(), Endpoint: hubtest.Hub, Token: "hf_testtesttest"})
	if err != nil {
		t.Fatal(err)
	}
	return settings.New(c), n
}

const hook = `{"id":"h1","watched":[{"type":"user","name":"bob"}],"domains":["repo"],"url":"https://x.test/","disabled":"suspended-after-failure","job":null,"new":1}`

func TestWebhooks(t *testing.T) {
	var got []string
	a, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, strings.TrimSpace(r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/settings/webhooks")+" "+string(body)))
		if r.Method == "GET" && r.URL.Path == "/api/settings/webhooks" {
			fmt.Fprintf(w, "[%s]", hook)
			return
		}
		fmt.Fprintf(w, `{"webhook":%s}`, hook)
	})
	all, err := a.Webhooks(t.Context())
	if err != nil || len(all) != 1 || !all[0].Disabled || all[0].URL != "https://x.test/" || !strings.Contains(string(all[0].Raw), `"new":1`) {
		t.Errorf("%+v, %v", all, err)
	}
	h := settings.Hook{Watched: []settings.Watched{{Type: "model", Name: "bob/m1"}}, URL: "https://x.test/", Secret: "s"}
	_, made := a.CreateWebhook(t.Context(), h)
	_, read := a.Webhook(t.Context(), "h1")
	_, changed := a.UpdateWebhook(t.Context(), "h1", settings.Hook{Domains: []string{"discussion"}})
	_, on := a.SwitchWebhook(t.Context(), "h1", true)
	_, off := a.SwitchWebhook(t.Context(), "h1", false)
	err = errors.Join(made, read, changed, on, off, a.ReplayWebhook(t.Context(), "h1", "l1"), a.DeleteWebhook(t.Context(), "h1"))
	want := []string{
		"GET", `POST  {"watched":[{"type":"model","name":"bob/m1"}],"url":"https://x.test/","secret":"s"}`, "GET /h1",
		`POST /h1 {"domains":["discussion"]}`, "POST /h1/enable", "POST /h1/disable", "POST /h1/replay/l1", "DELETE /h1",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestRefusedBeforeAnyRequest(t *testing.T) {
	a, n := api(t, func(http.ResponseWriter, *http.Request) {})
	watched := []settings.Watched{{Type: "model", Name: "bob/m1"}}
	for want, h := range map[string]settings.Hook{
		"exactly one": {Watched: watched}, "exactly one of": {Watched: watched, URL: "x", JobSourceID: "y"},
		"watched must not": {URL: "x"}, "watched[0]": {URL: "x", Watched: []settings.Watched{{Type: "bucket", Name: "x"}}},
		"domains": {URL: "x", Watched: watched, Domains: []string{"all"}},
	} {
		if _, err := a.CreateWebhook(t.Context(), h); !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if _, err := a.Webhook(t.Context(), "../x"); !errors.Is(err, wire.Invalid) {
		t.Errorf("error %v", err)
	}
	if len(n.Seen()) != 0 {
		t.Errorf("%d requests", len(n.Seen()))
	}
}

func TestNotificationsAndTools(t *testing.T) {
	a, _ := api(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/settings/mcp" {
			fmt.Fprint(w, `{"builtInTools":["space_search"],"spaceTools":[{"_id":"1","name":"a/b","emoji":"x","subdomain":"a-b"}]}`)
			return
		}
		fmt.Fprint(w, `{"notifications":[{"type":"discussion"}],"count":{"view":1,"unread":1,"all":2},"start":0}`)
	})
	if n, err := a.Notifications(t.Context(), 0); err != nil || len(n.Items) != 1 || n.Count.All != 2 {
		t.Errorf("%+v, %v", n, err)
	}
	if err := errors.Join(a.MarkRead(t.Context(), []string{"d1"}), a.DeleteNotifications(t.Context(), []string{"d1"})); err != nil {
		t.Error(err)
	}
	if m, err := a.MCP(t.Context()); err != nil || len(m.BuiltIn) != 1 || m.Spaces[0].Subdomain != "a-b" {
		t.Errorf("%+v, %v", m, err)
	}
}
