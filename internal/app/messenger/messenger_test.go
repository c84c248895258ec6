package messenger

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/messaging"
	"github.com/ml-intern/ml-intern/internal/config"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// load reads settings with the given destinations.
func load(t *testing.T, destinations string) *config.Loaded {
	t.Helper()
	home := t.TempDir()
	path := filepath.Join(home, "c.json")
	if err := os.WriteFile(path, []byte(`{"messaging":{"enabled":true,"destinations":`+destinations+`}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := config.Load(t.Context(), config.Options{Dir: home, Environ: []string{"HOME=" + home, "ML_INTERN_CLI_CONFIG=" + path}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// one of each provider, as the documentation has them.
const all = `{
 "a":{"provider":"slack","token":"s3cr3t-t0ken","channel":"C1"}, "b":{"provider":"slack_webhook","url":"https://h.example/s3cr3t-t0ken"},
 "c":{"provider":"discord","url":"https://h.example/s3cr3t-t0ken"}, "d":{"provider":"teams","url":"https://h.example/s3cr3t-t0ken"},
 "e":{"provider":"telegram","token":"s3cr3t-t0ken","chat_id":"7"}, "f":{"provider":"ntfy","url":"https://h.example/topic","token":"s3cr3t-t0ken"},
 "g":{"provider":"webhook","url":"https://h.example/s3cr3t-t0ken","secret":"s3cr3t-t0ken"}, "h":{"provider":"command","argv":["cat"]}}`

func TestEveryProviderHasAGateway(t *testing.T) {
	l := load(t, all)
	got := Receivers(l, http.DefaultClient)
	if len(got) != 8 {
		t.Errorf("%d destinations", len(got))
	}
	seen := map[string]string{}
	for _, r := range got {
		if r.Err != nil || r.Gateway == nil {
			t.Errorf("%s: %v", r.Name, r.Err)
			continue
		}
		if _, ok := r.Gateway.(messaging.Prober); !ok {
			t.Errorf("%s cannot be probed", r.Name)
		}
		key := r.destination().Key
		if before := seen[key]; before != "" {
			t.Errorf("%s and %s are one place", before, r.Name)
		}
		if seen[key] = r.Name; strings.Contains(key, "s3cr3t") {
			t.Errorf("%s: the key tells a secret", r.Name)
		}
	}
}

func TestADestinationIsItsPlace(t *testing.T) {
	key := func(change func(d *schema.Destination)) string {
		d := schema.Destination{Provider: "slack", Token: "a", Channel: "C1"}
		change(&d)
		return Receiver{Name: "x", Settings: d}.destination().Key
	}
	same := key(func(*schema.Destination) {})
	if key(func(d *schema.Destination) { d.Token = "b" }) != same {
		t.Error("a new token makes another destination")
	}
	if key(func(d *schema.Destination) { d.Channel = "C2" }) == same {
		t.Error("another channel is the same destination")
	}
}

func TestWhatIsAllowed(t *testing.T) {
	l := load(t, `{"agent":{"provider":"command","argv":["cat"],"allow_agent_tool":true},"auto":{"provider":"command","argv":["cat"],"allow_auto_events":true}}`)
	o := Options{Loaded: l, HTTP: http.DefaultClient, Scrub: func(s string) string { return s }}
	tool, err := New(o).Tool()
	if err != nil || !strings.HasSuffix(tool.Spec().Description, "Destinations: agent.") {
		t.Errorf("the tool: %v, %q", err, tool.Spec().Description)
	}
	o.Simulated = true
	if tool, err = New(o).Tool(); err != nil || strings.Contains(tool.Spec().Description, "Destinations") {
		t.Errorf("in a simulation: %v, %q", err, tool.Spec().Description)
	}
	if post, err := New(o).Post(Following{}); err != nil || post != nil {
		t.Errorf("in a simulation: %v, %v", post, err)
	}
	l.Config.Messaging.AutoEventTypes = nil
	o.Simulated = false
	if post, err := New(o).Post(Following{}); err != nil || post != nil {
		t.Errorf("without kinds: %v, %v", post, err)
	}
}

func TestSettingsAreNoSecretKeepers(t *testing.T) {
	l := load(t, all)
	raw, err := json.Marshal(l.Config.Messaging)
	if err != nil || strings.Contains(string(raw), "s3cr3t") {
		t.Errorf("%v: %s", err, raw)
	}
}
