package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/hubsim"
	"github.com/ml-intern/ml-intern/internal/hubsim/clock"
	"github.com/ml-intern/ml-intern/internal/platform/httpx"
)

//go:embed client.py
var pythonClient string

const (
	token    = "hf_bob_write"
	model    = "bob/bench"
	filename = "weights.bin"
	partSize = 16 << 20
)

// Roles of a process that makes one transfer.
const (
	roleVariable = "ML_INTERN_BENCH_ROLE"
	upload       = "upload"
	download     = "download"
)

// figures are what a transfer tells of itself.
type figures struct {
	Seconds float64
	// BeforeMB and PeakMB are resident memory before it and at most.
	BeforeMB, PeakMB float64
	Path             string // of what was downloaded
}

func (f figures) growth() float64 { return f.PeakMB - f.BeforeMB }

// world is a simulator with a model, and a large file beside it.
type world struct {
	hub    *hubsim.Hub
	dir    string
	file   string
	size   int64
	client *hub.Client
	web    interface{ CloseIdleConnections() }
	rand   *rand.ChaCha8
}

// newWorld starts a simulator on which files above a size go up in parts.
func newWorld(ctx context.Context, work string, size, above int64) (*world, error) {
	dir, err := os.MkdirTemp(work, "world-")
	if err != nil {
		return nil, err
	}
	sim, err := hubsim.New(hubsim.Options{
		Seed: "acme", Clock: clock.Options{Scale: 1}, MultipartAbove: above, PartSize: partSize, StateDir: filepath.Join(dir, "state"),
	})
	if err != nil {
		return nil, err
	}
	w := &world{hub: sim, dir: dir, file: filepath.Join(dir, filename), size: size, rand: rand.NewChaCha8([32]byte{7})}
	if err := sim.Start(ctx); err != nil {
		return nil, errors.Join(err, sim.Close())
	}
	web, err := httpx.New(httpx.Options{Version: "bench"})
	if err == nil {
		w.web = web
		w.client, err = hub.New(hub.Options{HTTP: web, Endpoint: sim.URL(), Token: token})
	}
	if err == nil {
		_, err = w.client.Repos.Create(ctx, repo.CreateSpec{Ref: repo.Ref{Type: wire.Model, ID: model}})
	}
	if err == nil {
		err = w.fill()
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) close() {
	if w.client != nil {
		w.client.Close()
	}
	if w.web != nil {
		w.web.CloseIdleConnections()
	}
	_ = w.hub.Close()
	_ = os.RemoveAll(w.dir)
}

// fill writes random bytes.
func (w *world) fill() (err error) {
	f, err := os.Create(w.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	if _, err := io.CopyN(out, w.rand, w.size); err != nil {
		return err
	}
	return out.Flush()
}

// change makes it content that nobody has seen.
func (w *world) change() (err error) {
	f, err := os.OpenFile(w.file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.WriteAt(binary.LittleEndian.AppendUint64(nil, w.rand.Uint64()), 0)
	return err
}

// put commits the file, for downloads.
func (w *world) put(ctx context.Context) error {
	_, err := w.client.Commits.Commit(ctx, commit.Request{
		Target: commit.Target{Type: wire.Model, Repo: model}, Operations: []commit.Operation{commit.Add{Path: filename, File: w.file}}, Summary: "file",
	})
	return err
}

// transfer lets a process make one transfer: python's, or else this program's.
// What was downloaded is compared with the file and removed.
func (w *world) transfer(ctx context.Context, role, name, python string) (f figures, err error) {
	if err := w.change(); err != nil {
		return f, err
	}
	if role == download {
		if err := w.put(ctx); err != nil {
			return f, err
		}
	}
	home := filepath.Join(w.dir, name)
	defer os.RemoveAll(home)
	if f, err = w.process(ctx, role, home, python); err != nil {
		return f, err
	}
	if role == upload {
		err = w.arrived(ctx)
	} else {
		err = same(w.file, f.Path)
	}
	return f, errors.Join(err, w.drop())
}

// drop lets the simulator forget the content, so that the disk is not still
// busy with it in the next round.
func (w *world) drop() error {
	sum, err := digest(w.file)
	if err != nil {
		return err
	}
	return w.hub.Content().Delete(sum)
}

func (w *world) process(ctx context.Context, role, home, python string) (f figures, err error) {
	self, err := os.Executable()
	if err != nil {
		return f, err
	}
	cmd := exec.CommandContext(ctx, self)
	if python != "" {
		cmd = exec.CommandContext(ctx, python, "-c", pythonClient)
	}
	cmd.Env = []string{
		roleVariable + "=" + role, "PATH=" + os.Getenv("PATH"), "HOME=" + home, "HF_HOME=" + home, "HF_ENDPOINT=" + w.hub.URL(), "HF_TOKEN=" + token,
		"HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "NO_PROXY=*",
		"BENCH_MODEL=" + model, "BENCH_FILE=" + w.file, "BENCH_NAME=" + filename, "BENCH_CACHE=" + home,
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return f, fmt.Errorf("%s: %w: %s", cmd.Path, err, said.String())
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return f, json.Unmarshal(lines[len(lines)-1], &f)
}

// arrived checks that the model has the file as it is.
func (w *world) arrived(ctx context.Context) error {
	at, err := w.client.Repos.Paths(ctx, repo.Ref{Type: wire.Model, ID: model}, "main", []string{filename}, false)
	if err != nil {
		return err
	}
	sum, err := digest(w.file)
	if err != nil {
		return err
	}
	if len(at) != 1 || at[0].LFS == nil || at[0].LFS.OID != sum {
		return fmt.Errorf("the model holds %+v, not %s", at, sum)
	}
	return nil
}

func same(a, b string) error {
	x, err := digest(a)
	if err != nil {
		return err
	}
	y, err := digest(b)
	if err == nil && x != y {
		return fmt.Errorf("%s arrived, not %s", y, x)
	}
	return err
}

func digest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// cutDownload downloads while the connection is cut at random places.
func cutDownload(ctx context.Context, work string, o options) error {
	w, err := newWorld(ctx, work, o.mib<<20, 1<<20)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.put(ctx); err != nil {
		return err
	}
	if err := w.cut(o.cuts); err != nil {
		return err
	}
	home := filepath.Join(w.dir, "cut")
	begun := time.Now()
	f, err := w.process(ctx, download, home, "")
	if err != nil {
		return err
	}
	cuts := 0
	for _, r := range w.hub.Requests() {
		if len(r.Faults) > 0 {
			cuts++
		}
	}
	if err := same(w.file, f.Path); err != nil {
		return err
	}
	fmt.Printf("%-28s %10s, %d cuts, content equal (%.1f s with the start)\n", "download, cut", speed(o.mib, f.Seconds), cuts, time.Since(begun).Seconds())
	if cuts != o.cuts {
		return fmt.Errorf("%d cuts happened, not %d", cuts, o.cuts)
	}
	return nil
}
