package jobs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

// What no job can have is refused with the name of its field, and nothing is
// asked of the Hub. Acceptance checks 33 and 36 of the acting tools' and the
// Hub's contracts.
func TestBadInputIsRefusedBeforeAnyRequest(t *testing.T) {
	d := newDesk(t, stagetest.Memory(t), nil)
	run := func(field string, value any) map[string]any {
		args := map[string]any{"operation": "run", "command": []string{"true"}}
		args[field] = value
		return args
	}
	script := func(field string, value any) map[string]any {
		args := map[string]any{"operation": "run", "script": "print(1)\n"}
		args[field] = value
		return args
	}
	volume := func(change map[string]any) map[string]any {
		v := map[string]any{"type": "dataset", "source": "bob/data", "mountPath": "/data"}
		for name, value := range change {
			v[name] = value
		}
		return run("volumes", []any{v})
	}
	huge, long := strings.Repeat("a", 11<<20), strings.Repeat("a", 20_000)
	type bad struct {
		field string
		args  map[string]any
	}
	var all []bad
	add := func(field string, calls ...map[string]any) {
		for _, args := range calls {
			all = append(all, bad{field, args})
		}
	}
	for _, id := range []string{
		"x/../../settings", "a%2fb", "..", ".", "a b", "a\nb", "a\x00b", "jоb" /* Cyrillic */, "ａ", "a?b", "a#b", "a\u202eb", strings.Repeat("a", 5000), "a/b", "é", "%00",
	} {
		for _, op := range []string{"logs", "inspect", "cancel", "wait", "metrics"} {
			add("job_id", map[string]any{"operation": op, "job_id": []string{id}})
		}
		for _, op := range []string{"scheduled inspect", "scheduled delete", "scheduled suspend", "scheduled resume", "scheduled trigger"} {
			add("scheduled_job_id", map[string]any{"operation": op, "scheduled_job_id": id})
		}
		for _, op := range []string{"ps", "scheduled ps", "hardware"} {
			add("namespace", map[string]any{"operation": op, "namespace": id})
		}
		add("namespace", run("namespace", id))
		add("resource_group_id", run("resource_group_id", id))
		add("trackio_space_id", run("trackio_space_id", id+"/x"), run("trackio_space_id", "x/"+id+"/.."))
		add("hardware_flavor", run("hardware_flavor", id+" "))
		add("volumes[0].source", volume(map[string]any{"source": "b/" + id + "/"}))
		add("labels", run("labels", map[string]any{id + "\x00": "x"}))
	}
	for _, image := range []string{
		"https://evil.example/image", "a b", "a\nb", "a\x00", "-v/:/host", "hf.co/spaces/../..", "hf.co/spaces/a/b/../c", "pythоn", long, "image;rm", "$(x)",
		"hf.co/spaces/a/%2e%2e",
	} {
		add("image", run("image", image))
	}
	for _, timeout := range []string{"soon", "-1", "1e9", "∞", "1h\n", "９h", "0", "9999d", long, "1h; rm", "\x001h"} {
		if timeout != "1h\n" { // blanks around it are fine
			add("timeout", run("timeout", timeout))
		}
		add("wait", run("wait", timeout+"x"))
	}
	for _, at := range []string{"data", "", "/", "//", "/a/../b", "/..", "/a/./b", "/a//b", "/a\x00b", "/a\nb", "../x", "/ml-intern", "/" + long, "~/x", "C:\\x"} {
		add("volumes[0].mountPath", volume(map[string]any{"mountPath": at}))
	}
	add("volumes[0].type", volume(map[string]any{"type": "host"}), volume(map[string]any{"type": ""}))
	add("volumes[0].revision", volume(map[string]any{"revision": "a..b"}), volume(map[string]any{"revision": "a b"}))
	add("volumes[0].path", volume(map[string]any{"path": "../x"}), volume(map[string]any{"path": "a/\x00"}), volume(map[string]any{"path": "/"}))
	add("volumes[1].mountPath", run("volumes", []any{
		map[string]any{"type": "dataset", "source": "bob/a", "mountPath": "/a"}, map[string]any{"type": "dataset", "source": "bob/b", "mountPath": "/a/"},
	}))
	for _, name := range []string{"A B", "A=B", "", "1A", "A-B", "A\x00", "Ä", "A\nB", strings.Repeat("A", 300), "LD_PRELOAD=x"} {
		add("env", run("env", map[string]any{name: "x"}))
		add("secrets", run("secrets", map[string]any{name: "x"}))
	}
	add("env.A", run("env", map[string]any{"A": "x\x00y"}))
	add("secrets.A", run("secrets", map[string]any{"A": "x\x00y"}))
	add("labels", run("labels", map[string]any{"a b": "x"}))
	add("labels", run("labels", map[string]any{"a.b": "x"}))
	add("labels.a", run("labels", map[string]any{"a": "1.5"}))
	add("labels.a", run("labels", map[string]any{"a": "x y"}), run("labels", map[string]any{"a": ""}), run("labels", map[string]any{"a": "ü"}))
	add("expose", run("expose", []int{0}), run("expose", []int{-1}), run("expose", []int{65536}), run("expose", make([]int, 30)))
	add("tail", map[string]any{"operation": "logs", "job_id": []string{"a"}, "tail": -1})
	add("name", run("name", "a\x1b]0;x\ab"), run("name", long))
	add("status", map[string]any{"operation": "ps", "status": "\x1b[2J"})
	add("command", run("command", []string{"a\x00b"}), run("command", []string{}))
	add("script_args", script("script_args", []string{"\x00"}))
	add("script", script("script", "print(1)\n\x00"), script("script", huge))
	add("dependencies", script("dependencies", []string{"--index-url=https://evil.example"}), script("dependencies", []string{"a", "-r x"}),
		script("dependencies", []string{"a\nb"}), script("dependencies", []string{" "}), script("dependencies", []string{long}))
	add("python", script("python", "3.11; rm -rf /"), script("python", "3.11 $(x)"), script("python", "３.12"))
	for _, address := range []string{
		"https://x.example/\u202egnp.py", "https://x.example/\x1b[31m.py", "https://user:word@x.example/a.py", "https://gооd.example/a.py", "https:///a.py", "http://[::1/a.py",
	} {
		add("script", script("script", address))
	}
	for _, own := range []string{"ml-intern", "ml-intern-sandbox", "ml-intern-call", "ml-intern-session"} {
		add("labels", run("labels", map[string]any{own: "1"}))
	}
	add("python", script("python", "--evil"), script("python", "3\n12"), script("python", long))
	add("trackio_project", run("trackio_project", "a\nb"))
	for _, s := range []string{"every day", "* * * *", "0 0 * * *\n", "@reboot", "60 0 * * x", long, "\x00", "* * * * * * * *"} {
		args := run("schedule", s)
		args["operation"] = "scheduled run"
		add("schedule", args)
	}
	for _, b := range all {
		args, err := json.Marshal(b.args)
		if err != nil {
			t.Fatal(err)
		}
		r := d.call(t.Context(), d.env("call_bad"), string(args))
		if r.OK || !strings.Contains(r.Output, b.field) || len(r.Output) > 20_000 {
			t.Errorf("%.200s: %v %.300s; want a refusal that names %s", args, r.OK, r.Output, b.field)
		}
		for _, steering := range []string{"\x1b", "\x00", "\u202e"} {
			if strings.Contains(r.Output, steering) {
				t.Errorf("%.200s: the refusal repeats %q", args, steering)
			}
		}
		if sent := d.Sim.Requests(); len(sent) > 0 {
			t.Fatalf("%.200s: %s %s was asked", args, sent[0].Method, sent[0].Path)
		}
	}
	t.Logf("%d calls were refused", len(all))
}
