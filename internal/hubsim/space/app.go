package space

import (
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/hubsim/account"
	"github.com/ml-intern/ml-intern/internal/hubsim/answer"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/hubsim/exec/proxy"
	"github.com/ml-intern/ml-intern/internal/hubsim/repo"
)

const (
	// patience is how long a request waits for an app to listen, in real time.
	patience = 10 * time.Second
	// passLife is how long a short token is good, in simulated time.
	passLife = time.Hour
)

// app passes a request on to the app behind a subdomain.
func (ss *Spaces) app(w http.ResponseWriter, r *http.Request) error {
	sp, id, err := ss.behind(r)
	if err != nil {
		return err
	}
	prefix := "/__spaces/" + r.PathValue("subdomain")
	if r.URL.Path == prefix {
		http.Redirect(w, r, prefix+"/", http.StatusTemporaryRedirect)
		return nil
	}
	ss.wake(sp)
	ss.mu.Lock()
	stage, static, oid, process, handler := sp.Stage, sp.Static, sp.SHA, sp.process, ss.apps[strings.ToLower(id)]
	port := 0
	if process != nil && stage == Running {
		port, _ = process.Port(sp.port(oid))
	}
	ss.mu.Unlock()
	ss.touch(sp)
	defer ss.touch(sp)
	switch {
	case stage != Running:
		unavailable(w, stage)
	case handler != nil:
		http.StripPrefix(prefix, handler).ServeHTTP(w, r)
	case static:
		return sp.file(w, r, oid, strings.TrimPrefix(r.URL.Path, prefix+"/"))
	case port == 0:
		unavailable(w, "NO APPLICATION")
	default:
		t := proxy.Target{Port: port, Prefix: prefix, DropToken: account.From(r.Context()) != nil}
		if err := t.Wait(r.Context(), patience); err != nil {
			unavailable(w, AppStarting)
			return nil
		}
		t.ServeHTTP(w, r)
	}
	return nil
}

// touch notes that the app is in use.
func (ss *Spaces) touch(sp *space) {
	now := ss.o.Clock.Now()
	ss.mu.Lock()
	sp.used = now
	ss.mu.Unlock()
}

// unavailable is the page of a Space without an app to show.
func unavailable(w http.ResponseWriter, stage string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte("<html><body><h1>503</h1><p>This Space is not available: " + stage + "</p></body></html>"))
}

// behind finds the Space of a subdomain for who may use its app.
func (ss *Spaces) behind(r *http.Request) (*space, string, error) {
	caller, sub := account.From(r.Context()), strings.ToLower(r.PathValue("subdomain"))
	for _, one := range ss.o.Repos.All(repo.Space) {
		if repo.Subdomain(one.ID()) != sub {
			continue
		}
		if !one.Private() || one.Visible(caller) || ss.passed(r, one.Hex()) {
			return ss.machine(one), one.ID(), nil
		}
		if caller == nil {
			return nil, "", answer.Login("")
		}
		break
	}
	return nil, "", answer.NoPage()
}

// passed reports whether the request has a short token for the Space.
func (ss *Spaces) passed(r *http.Request, hex string) bool {
	token := r.URL.Query().Get("__sign")
	if token == "" {
		token = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	now := ss.o.Clock.Now()
	ss.mu.Lock()
	defer ss.mu.Unlock()
	p, ok := ss.passes[token]
	return ok && p.hex == hex && now.Before(p.end)
}

// jwt gives out a short token.
func (ss *Spaces) jwt(w http.ResponseWriter, r *http.Request) error {
	sp, err := ss.find(r)
	if err != nil {
		return err
	}
	if account.From(r.Context()) == nil {
		return answer.Login("")
	}
	raw := make([]byte, 32)
	ss.o.Clock.Random(raw)
	now := ss.o.Clock.Now()
	token, end := "space."+hex.EncodeToString(raw), now.Add(passLife)
	ss.mu.Lock()
	maps.DeleteFunc(ss.passes, func(_ string, p pass) bool { return now.After(p.end) })
	ss.passes[token] = pass{sp.Hex, end}
	ss.mu.Unlock()
	answer.JSON(w, http.StatusOK, map[string]string{"token": token, "expiresAt": clock.Format(end)})
	return nil
}

// file serves a static Space's own files.
func (sp *space) file(w http.ResponseWriter, r *http.Request, oid, name string) error {
	if name == "" || strings.HasSuffix(name, "/") {
		name += "index.html"
	}
	f, info, err := sp.repo.Open(r.Context(), oid, name)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("ETag", `"`+info.OID+`"`)
	http.ServeContent(w, r, path.Base(name), sp.repo.LastModified(), f)
	return nil
}
