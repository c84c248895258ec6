package store_test

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/ml-intern/ml-intern/internal/adapter/store"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/engine/journal/journaltest"
)

// sick is a file that fails when told to.
type sick struct {
	store.Disk
	room            int // bytes the next write takes before the disk is full; -1 for all
	syncErr, cutErr error
	writes, syncs   int
}

func (s *sick) Write(p []byte) (int, error) {
	s.writes++
	if s.room < 0 || len(p) <= s.room {
		return s.Disk.Write(p)
	}
	n, err := s.Disk.Write(p[:s.room])
	return n, errors.Join(err, &os.PathError{Op: "write", Path: s.Name(), Err: syscall.ENOSPC})
}

func (s *sick) Sync() error {
	s.syncs++
	if s.syncErr != nil {
		return s.syncErr
	}
	return s.Disk.Sync()
}

func (s *sick) Truncate(size int64) error {
	if s.cutErr != nil {
		return s.cutErr
	}
	return s.Disk.Truncate(size)
}

// infirmary is a store whose one session has three events and a file that can
// be made to fail.
func infirmary(t *testing.T) (*store.Store, *sick, string, string) {
	t.Helper()
	root, id := t.TempDir(), uuid.NewString()
	s := open(t, root)
	patient := &sick{room: -1}
	s.Wrap(func(d store.Disk) store.Disk {
		patient.Disk = d
		return patient
	})
	if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, 3)); err != nil {
		t.Fatal(err)
	}
	return s, patient, root, id
}

func size(t *testing.T, s *store.Store, id string) int64 {
	t.Helper()
	path, err := s.JournalPath(id)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// many is more bytes than any room below.
const many = 40

// ended returns many events, the last of which must be on disk.
func ended(id string, first int64) []event.Event {
	events := journaltest.Events(id, first, many)
	events[many-1].Type = event.TypeTurnComplete
	return events
}

func TestAppendIsOneWriteAndOneSync(t *testing.T) {
	s, patient, _, id := infirmary(t)
	patient.writes, patient.syncs = 0, 0
	if err := s.Append(t.Context(), id, 0, ended(id, 4)); err != nil {
		t.Fatal(err)
	}
	if patient.writes != 1 || patient.syncs != 1 {
		t.Errorf("%d writes and %d syncs, want one of each", patient.writes, patient.syncs)
	}
}

// A full disk takes a part of a line: it is cut off again, the error says what
// happened, and with room the session goes on as if nothing had been.
func TestFullDisk(t *testing.T) {
	for _, room := range []int{0, 1, 100, 1000} {
		s, patient, root, id := infirmary(t)
		before := size(t, s, id)
		patient.room = room
		err := s.Append(t.Context(), id, 0, ended(id, 4))
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "journal.jsonl") {
			t.Errorf("room for %d bytes: error is %v, want one that names the file and the full disk", room, err)
		}
		if got := size(t, s, id); got != before {
			t.Errorf("room for %d bytes: the file has %d bytes, want the %d from before", room, got, before)
		}
		if got, err := s.Read(t.Context(), id, 0, 0); err != nil || len(got) != 3 {
			t.Errorf("room for %d bytes: %d events, %v; want the 3 from before", room, len(got), err)
		}
		patient.room = -1
		if err := s.Append(t.Context(), id, 0, ended(id, 4)); err != nil {
			t.Errorf("with room again: %v", err)
		}
		reopened(t, s, root, id, 3+many)
	}
}

// reopened releases the session and checks what another process would find.
func reopened(t *testing.T, s *store.Store, root, id string, want int) {
	t.Helper()
	if err := s.Release(id); err != nil {
		t.Fatal(err)
	}
	next := open(t, root)
	if err := next.Acquire(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	got, err := next.Read(t.Context(), id, 0, 0)
	if err != nil || len(got) != want {
		t.Errorf("reopened: %d events, %v; want %d", len(got), err, want)
	}
	if err := next.Append(t.Context(), id, 0, journaltest.Events(id, int64(want+1), 1)); err != nil {
		t.Errorf("a reopened session takes no events: %v", err)
	}
	if err := next.Release(id); err != nil {
		t.Fatal(err)
	}
}

// A torn line that cannot be cut off must not get a neighbour: the session is
// broken until it is opened anew, which mends it.
func TestTornLineThatStays(t *testing.T) {
	s, patient, root, id := infirmary(t)
	patient.room, patient.cutErr = 50, syscall.EIO
	err := s.Append(t.Context(), id, 0, journaltest.Events(id, 4, 1))
	if !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, syscall.EIO) {
		t.Errorf("error is %v, want both failures", err)
	}
	patient.room, patient.cutErr, patient.writes = -1, nil, 0
	checkBroken(t, s, patient, id)
	reopened(t, s, root, id, 3)
}

// After a failed sync nobody knows what the disk holds.
func TestFailedSync(t *testing.T) {
	s, patient, root, id := infirmary(t)
	patient.syncErr = syscall.EIO
	err := s.Append(t.Context(), id, 0, ended(id, 4))
	if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "sync journal") {
		t.Errorf("error is %v, want one that names the sync", err)
	}
	patient.syncErr, patient.writes = nil, 0
	checkBroken(t, s, patient, id)
	reopened(t, s, root, id, 3+many) // here the bytes were there after all
}

func checkBroken(t *testing.T, s *store.Store, patient *sick, id string) {
	t.Helper()
	err := s.Append(t.Context(), id, 0, journaltest.Events(id, 4, 1))
	if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "takes no more events until it is opened again") {
		t.Errorf("a broken session answers %v", err)
	}
	if patient.writes != 0 {
		t.Error("a broken session was written to")
	}
}

// A session whose first write fails leaves nothing behind and may begin later.
func TestFullDiskAtTheFirstWrite(t *testing.T) {
	s, id := open(t, t.TempDir()), uuid.NewString()
	patient := &sick{room: 20}
	s.Wrap(func(d store.Disk) store.Disk {
		patient.Disk = d
		return patient
	})
	if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, 3)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error is %v, want a full disk", err)
	}
	if ids, err := s.Sessions(); err != nil || len(ids) != 0 {
		t.Errorf("sessions are %v, %v; want none", ids, err)
	}
	patient.room = -1
	if err := s.Append(t.Context(), id, 0, journaltest.Events(id, 1, 3)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context(), id, 0, 0); err != nil || len(got) != 3 {
		t.Errorf("%d events, %v; want 3", len(got), err)
	}
}
