package toolserver

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/compute/remote/wire"
	"github.com/ml-intern/ml-intern/internal/domain/workspace"
)

// second adds the routes of the second version.
func (s *Server) second(mux *http.ServeMux) {
	mux.HandleFunc("POST "+wire.Exec, s.exec)
	mux.HandleFunc("GET "+wire.Processes, s.jobs)
	mux.HandleFunc("DELETE "+wire.Processes+"/{id}", s.killJob)
	mux.HandleFunc("GET "+wire.Processes+"/{id}/output", s.tail)
	mux.HandleFunc("GET "+wire.Files, s.get)
	mux.HandleFunc("PUT "+wire.Files, s.once(s.put))
	mux.HandleFunc("GET "+wire.Stat, s.stat)
	mux.HandleFunc("GET "+wire.List, s.list)
	mux.HandleFunc("GET "+wire.Archive, s.pack)
	mux.HandleFunc("PUT "+wire.Archive, s.once(s.unpack))
	mux.HandleFunc("POST "+wire.Python, s.python)
	mux.HandleFunc("GET "+wire.Stats, s.stats)
}

// session is whose jobs a request is about.
func session(w http.ResponseWriter, r *http.Request) (string, bool) {
	name := r.URL.Query().Get("session")
	if name == "" {
		return firstSession, true
	}
	if err := wire.CheckID("session", name); err != nil {
		fail(w, err)
		return "", false
	}
	return name, true
}

func (s *Server) jobs(w http.ResponseWriter, r *http.Request) {
	name, ok := session(w, r)
	if !ok {
		return
	}
	jobs, err := s.machine.Jobs(r.Context(), name)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, wire.JobsAnswer{Processes: append([]workspace.Status{}, jobs...)})
}

// killJob ends one job or command.
func (s *Server) killJob(w http.ResponseWriter, r *http.Request) {
	name, ok := session(w, r)
	if !ok {
		return
	}
	status, err := s.machine.Kill(r.Context(), name, r.PathValue("id"))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, status)
}

func (s *Server) tail(w http.ResponseWriter, r *http.Request) {
	name, ok := session(w, r)
	if !ok {
		return
	}
	q := question{Values: r.URL.Query()}
	lines := q.number("lines")
	if q.err != nil {
		fail(w, q.err)
		return
	}
	text, status, err := s.machine.Tail(r.Context(), name, r.PathValue("id"), int(lines))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, wire.TailAnswer{Text: text, Status: status})
}

// question reads the parameters of a request.
type question struct {
	url.Values
	err error
}

// number is a parameter that is a whole number; 0 when it is missing.
func (q *question) number(name string) int64 {
	text := q.Get(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		q.err = &workspace.Fault{Kind: workspace.Invalid, Reason: fmt.Sprintf("%s %q: it must be a whole number, 0 or more", name, text)}
	}
	return n
}

// set reports whether a parameter is there and not 0.
func (q *question) set(name string) bool { v := q.Get(name); return v != "" && v != "0" }

func (s *Server) stat(w http.ResponseWriter, r *http.Request) {
	q := question{Values: r.URL.Query()}
	info, err := s.machine.Stat(r.Context(), q.Get("path"), workspace.StatOptions{Change: q.set("change"), Sum: q.set("sum")})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, info)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	entries, err := s.machine.List(r.Context(), r.URL.Query().Get("path"))
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, wire.ListAnswer{Entries: entries})
}

// get streams a file or a part of it.
func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	q := question{Values: r.URL.Query()}
	o := workspace.ReadOptions{Change: q.set("change"), Offset: q.number("offset"), Length: q.number("length")}
	if q.err != nil {
		fail(w, q.err)
		return
	}
	body, info, err := s.machine.Read(r.Context(), q.Get("path"), o)
	if err != nil {
		fail(w, err)
		return
	}
	defer body.Close()
	w.Header().Set(wire.FileInfo, wire.PackInfo(info))
	stream(w, body, "application/octet-stream")
}

// stream copies body to the client. A body that breaks off breaks the
// connection off, so that nobody takes it for whole.
func stream(w http.ResponseWriter, body io.Reader, kind string) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(w, body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// put replaces a file, or a part of it.
func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	q := question{Values: r.URL.Query()}
	o := workspace.WriteOptions{Over: q.Get("over"), Anyhow: q.set("anyhow"), Part: q.set("part"), At: q.number("at")}
	if mode := q.Get("mode"); mode != "" {
		n, err := strconv.ParseUint(mode, 8, 9)
		if err != nil {
			q.err = &workspace.Fault{Kind: workspace.Invalid, Reason: fmt.Sprintf("mode %q: it must be octal, such as 755", mode)}
		}
		o.Mode = fs.FileMode(n)
	}
	if q.err != nil {
		fail(w, q.err)
		return
	}
	info, err := s.machine.Write(r.Context(), q.Get("path"), http.MaxBytesReader(w, r.Body, maxStream), o)
	if err != nil {
		fail(w, bounded(err))
		return
	}
	answer(w, info)
}

// bounded names the limit that a body was over.
func bounded(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return &workspace.Fault{Kind: workspace.TooLarge, Reason: fmt.Sprintf("the content has more than %d bytes", large.Limit)}
	}
	return err
}

// limits are the bounds of an archive, never wider than the usual ones.
func limits(q *question) workspace.Limits {
	l := workspace.Limits{Bytes: q.number("max_bytes"), Files: int(q.number("max_files"))}.Or()
	return workspace.Limits{Bytes: min(l.Bytes, workspace.ArchiveBytes), Files: min(l.Files, workspace.ArchiveFiles)}
}

// pack streams a folder.
func (s *Server) pack(w http.ResponseWriter, r *http.Request) {
	q := question{Values: r.URL.Query()}
	o := workspace.PackOptions{Limits: limits(&q), Exclude: q.Values["exclude"]}
	if q.err != nil {
		fail(w, q.err)
		return
	}
	body, err := s.machine.Pack(r.Context(), q.Get("path"), o)
	if err != nil {
		fail(w, err)
		return
	}
	defer body.Close()
	stream(w, body, "application/x-tar")
}

// unpack fills a folder.
func (s *Server) unpack(w http.ResponseWriter, r *http.Request) {
	q := question{Values: r.URL.Query()}
	o := limits(&q)
	if q.err != nil {
		fail(w, q.err)
		return
	}
	// Headers and padding of an archive come on top of its content.
	most := o.Bytes + int64(o.Files)*2048 + 1<<20
	done, err := s.machine.Unpack(r.Context(), q.Get("path"), http.MaxBytesReader(w, r.Body, most), o)
	if err != nil {
		fail(w, bounded(err))
		return
	}
	answer(w, done)
}

// python runs a program with the Python of the workspace.
func (s *Server) python(w http.ResponseWriter, r *http.Request) {
	var p wire.PythonRequest
	if !decode(w, r, &p) {
		return
	}
	limit := min(time.Duration(p.LimitMS)*time.Millisecond, time.Minute)
	out, err := s.machine.Python(r.Context(), p.Program, p.Input, limit)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, wire.PythonAnswer{Output: out})
}
