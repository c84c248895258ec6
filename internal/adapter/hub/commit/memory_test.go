package commit_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// heap samples the memory in use until the test is over and tells the most.
func heap(ctx context.Context) (most func() uint64) {
	var peak uint64
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse+m.StackInuse)
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return func() uint64 {
		cancel()
		<-done
		return peak
	}
}

// Acceptance check 19: a commit of 2 GiB and 3 MiB takes less than 64 MiB of
// memory, and the small file goes in one line.
func TestCheck19_MemoryIsBounded(t *testing.T) {
	size := int64(2 << 30)
	if testing.Short() {
		size = 128 << 20
		t.Logf("only %d bytes in a short run", size)
	}
	const chunk = 64 << 20
	dir := t.TempDir()
	large, small := filepath.Join(dir, "big.bin"), filepath.Join(dir, "small.txt")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, size); err != nil { // all zeros, no space taken
		t.Fatal(err)
	}
	text := strings.Repeat("0123456789abcdef", 3<<20/16)
	if err := os.WriteFile(small, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var got int64
	received := make(chan int64, 64)
	keys, content := []string{}, ""
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch name := nameOf(r); name {
		case "preupload":
			io.WriteString(w, `{"files":[{"path":"big.bin","uploadMode":"lfs"},{"path":"small.txt","uploadMode":"regular"}],"commitOid":"1234567890123456789012345678901234567890"}`)
		case "batch":
			var in struct{ Objects []struct{ OID string } }
			json.NewDecoder(r.Body).Decode(&in)
			header := map[string]string{"chunk_size": fmt.Sprint(chunk)}
			for i := range int((size + chunk - 1) / chunk) {
				header[fmt.Sprintf("%05d", i+1)] = fmt.Sprintf("%s/part/x/%d", server.URL, i+1)
			}
			up := map[string]any{"href": server.URL + "/complete/x", "header": header}
			reply(w, 200, map[string]any{"objects": []any{map[string]any{"oid": in.Objects[0].OID, "actions": map[string]any{"upload": up}}}})
		case "part":
			n, _ := io.Copy(io.Discard, r.Body)
			received <- n
			w.Header().Set("ETag", `"x"`)
		case "commit":
			lines := bufio.NewReaderSize(r.Body, 64<<10)
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					break
				}
				var in struct {
					Key   string
					Value struct{ Content string }
				}
				json.Unmarshal([]byte(line), &in)
				keys = append(keys, in.Key)
				content += in.Value.Content
			}
			reply(w, 200, map[string]any{"success": true, "commitOid": "2234567890123456789012345678901234567890"})
		case "complete":
		default:
			t.Errorf("unserved: %s", r.URL)
		}
	}))
	defer server.Close()
	c, err := wire.New(wire.Options{HTTP: &http.Client{}, Endpoint: server.URL, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	most := heap(t.Context())
	_, err = commit.New(c, commit.Options{}).Commit(t.Context(), request(
		commit.Add{Path: "big.bin", File: large}, commit.Add{Path: "small.txt", File: small}))
	used := most()
	if err != nil {
		t.Fatal(err)
	}
	close(received)
	for n := range received {
		got += n
	}
	if got != size || strings.Join(keys, " ") != "header file lfsFile" && strings.Join(keys, " ") != "header lfsFile file" {
		t.Errorf("%d bytes arrived, lines %v", got, keys)
	}
	if data, err := base64.StdEncoding.DecodeString(content); err != nil || string(data) != text {
		t.Errorf("the small file arrived as %d bytes: %v", len(data), err)
	}
	// The receiver holds the 4 MiB line several times, beside the client.
	if used > 64<<20 {
		t.Errorf("%d MiB of memory in use", used>>20)
	}
	t.Logf("%d MiB of memory in use at most", used>>20)
}
