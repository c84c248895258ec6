package hubtools_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/app/hubtools"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// What asks on the Hub, in the mode that asks for gated calls alone, in yolo
// mode, and where nobody can be asked.
func TestWhatAsks(t *testing.T) {
	b := newBench(t, nil)
	session := &tooltest.Session{SessionID: session}
	b.tools.Jobs.Attach(session)
	foreign, err := b.client.Jobs.Run(t.Context(), "bob", job.Spec{
		DockerImage: "python:3.12", Command: []string{"true"}, Flavor: "cpu-basic", Labels: map[string]string{"ml-intern-call": "other"},
	}, "ml-intern-call")
	if err != nil {
		t.Fatal(err)
	}
	const free, asks, always = "free", "asks", "always"
	jobs, files, git := tool.Tool(b.tools.Jobs), tool.Tool(b.tools.RepoFiles), tool.Tool(b.tools.RepoGit)
	for _, c := range []struct {
		tool tool.Tool
		args string
		want string
	}{
		{jobs, `{"operation":"run","command":["x"]}`, asks},
		{jobs, `{"operation":"run","command":["x"],"hardware_flavor":"t4-small"}`, asks},
		{jobs, `{"operation":"ps"}`, free},
		{jobs, `{"operation":"logs","job_id":["a"]}`, free},
		{jobs, `{"operation":"inspect","job_id":["a"]}`, free},
		{jobs, `{"operation":"wait","job_id":["a"]}`, free},
		{jobs, `{"operation":"metrics","job_id":["a"]}`, free},
		{jobs, `{"operation":"hardware"}`, free},
		{jobs, `{"operation":"cancel","job_id":["` + foreign.ID + `"]}`, asks},
		{jobs, `{"operation":"scheduled run","command":["x"],"schedule":"@daily"}`, always},
		{jobs, `{"operation":"scheduled trigger","scheduled_job_id":"a"}`, always},
		{jobs, `{"operation":"scheduled ps"}`, free},
		{jobs, `{"operation":"scheduled inspect","scheduled_job_id":"a"}`, free},
		{jobs, `{"operation":"scheduled delete","scheduled_job_id":"a"}`, asks},
		{jobs, `{"operation":"scheduled suspend","scheduled_job_id":"a"}`, asks},
		{jobs, `{"operation":"scheduled resume","scheduled_job_id":"a"}`, asks},

		{files, `{"operation":"list","repo_id":"acme/tiny-gpt"}`, free},
		{files, `{"operation":"read","repo_id":"acme/tiny-gpt","path":"config.json"}`, free},
		{files, `{"operation":"upload","repo_id":"bob/x","path":"a","content":"b"}`, asks},
		{files, `{"operation":"upload","repo_id":"stranger/x","path":"a","content":"b","create_pr":true}`, asks},
		{files, `{"operation":"delete","repo_id":"acme/tiny-gpt","patterns":["README.md"]}`, asks},

		{git, `{"operation":"list_refs","repo_id":"acme/tiny-gpt"}`, free},
		{git, `{"operation":"list_prs","repo_id":"acme/tiny-gpt"}`, free},
		{git, `{"operation":"get_pr","repo_id":"acme/tiny-gpt","pr_num":1}`, free},
		{git, `{"operation":"list_commits","repo_id":"acme/tiny-gpt"}`, free},
		{git, `{"operation":"delete_branch","repo_id":"bob/x","branch":"b"}`, asks},
		{git, `{"operation":"delete_tag","repo_id":"bob/x","tag":"b"}`, asks},
		{git, `{"operation":"merge_pr","repo_id":"bob/x","pr_num":1}`, asks},
		{git, `{"operation":"create_repo","repo_id":"bob/x"}`, asks},
		{git, `{"operation":"update_repo","repo_id":"bob/x","private":true}`, asks},
		{git, `{"operation":"move_repo","repo_id":"bob/x","to_id":"bob/y"}`, asks},
		{git, `{"operation":"duplicate_repo","repo_id":"bob/x","to_id":"bob/y"}`, asks},
		{git, `{"operation":"delete_repo","repo_id":"bob/x","confirm":"bob/x"}`, always},
		{git, `{"operation":"super_squash","repo_id":"bob/x"}`, always},
	} {
		b.verdict(c.tool, c.args, c.want)
	}
	// What others see under the user's name asks where the repository is neither
	// his nor one of his organisations'.
	for op, fields := range map[string]string{
		"create_pr": `"title":"abc"`, "comment_pr": `"pr_num":1,"comment":"x"`, "close_pr": `"pr_num":1`, "change_pr_status": `"pr_num":1,"new_status":"open"`,
		"rename_pr": `"pr_num":1,"title":"abc"`, "create_branch": `"branch":"b"`, "create_tag": `"tag":"t"`,
	} {
		for id, want := range map[string]string{"bob/x": free, "x": free, "acme/x": free, "stranger/x": asks} {
			b.verdict(git, fmt.Sprintf(`{"operation":%q,"repo_id":%q,%s}`, op, id, fields), want)
		}
	}
}

// verdict judges a call in three modes.
func (b *bench) verdict(t tool.Tool, args, want string) {
	b.Helper()
	resolved, err := t.(tool.Resolver).Resolve(b.Context(), json.RawMessage(args))
	if err != nil {
		b.Errorf("%s: %v", args, err)
		return
	}
	call := policy.Call{Name: t.Spec().Name, Args: resolved, Risk: t.Risk(resolved)}
	judge := func(change func(*policy.Options)) policy.Action {
		o := policy.Options{
			Mode: policy.ModeUpstream, ConfirmCPUJobs: true, Workspace: []string{b.dir},
			Owner: func() (string, []string) { return hubtools.Owner(b.client.Account) },
		}
		change(&o)
		p, err := policy.New(o)
		if err != nil {
			b.Fatal(err)
		}
		return p.Judge(call).Action
	}
	got := [3]policy.Action{
		judge(func(*policy.Options) {}),
		judge(func(o *policy.Options) { o.Mode = policy.ModeYolo }),
		judge(func(o *policy.Options) { o.Mode, o.Headless = policy.ModeYolo, true }),
	}
	expected := map[string][3]policy.Action{
		"free": {policy.Run, policy.Run, policy.Run}, "asks": {policy.Ask, policy.Run, policy.Run}, "always": {policy.Ask, policy.Ask, policy.Refuse},
	}[want]
	if got != expected {
		b.Errorf("%s %s: %v, want %s", call.Name, args, got, want)
	}
}

// The settings that waive a question: jobs without a GPU, and uploads into the
// user's own namespace alone.
func TestWaivers(t *testing.T) {
	b := newBench(t, nil)
	if _, err := b.client.Account.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := policy.New(policy.Options{
		Mode: policy.ModeUpstream, AutoFileUpload: true, Workspace: []string{b.dir},
		Owner: func() (string, []string) { return hubtools.Owner(b.client.Account) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tool tool.Tool
		args string
		want policy.Action
	}{
		{b.tools.Jobs, `{"operation":"run","command":["x"]}`, policy.Run},
		{b.tools.Jobs, `{"operation":"run","command":["x"],"hardware_flavor":"cpu-upgrade"}`, policy.Run},
		{b.tools.Jobs, `{"operation":"run","command":["x"],"hardware_flavor":"cpu-xl"}`, policy.Ask},
		{b.tools.Jobs, `{"operation":"run","command":["x"],"hardware_flavor":"t4-small"}`, policy.Ask},
		{b.tools.Jobs, `{"operation":"scheduled run","command":["x"],"schedule":"@daily"}`, policy.Ask},
		{b.tools.RepoFiles, `{"operation":"upload","repo_id":"x","path":"a","content":"b"}`, policy.Run},
		{b.tools.RepoFiles, `{"operation":"upload","repo_id":"acme/x","path":"a","content":"b"}`, policy.Ask},
		{b.tools.RepoFiles, `{"operation":"upload","repo_id":"stranger/x","path":"a","content":"b","create_pr":true}`, policy.Ask},
	} {
		resolved, err := c.tool.(tool.Resolver).Resolve(t.Context(), json.RawMessage(c.args))
		if err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		if got := p.Judge(policy.Call{Name: c.tool.Spec().Name, Args: resolved, Risk: c.tool.Risk(resolved)}).Action; got != c.want {
			t.Errorf("%s: %v, want %v", c.args, got, c.want)
		}
	}
}
