package repos_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/domain/tool/tooltest"
	"github.com/ml-intern/ml-intern/internal/tools/repos"
	"github.com/ml-intern/ml-intern/internal/tools/stagetest"
)

func noUser(context.Context) (string, error) { return "", errors.New("nobody is logged in") }

// Acceptance check 33: the gate is taken away, and a branch with a slash is one
// segment.
func TestCheck33_GateAndBranch(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	d.must(d.git, `{"operation":"update_repo","repo_id":"bob/m1","gated":"auto"}`, "**Settings updated:** bob/m1", "Gated: auto")
	d.must(d.git, `{"operation":"update_repo","repo_id":"bob/m1","gated":"false","private":true}`, "Gated: false", "Visibility: private")
	info, err := d.client.Repos.Info(t.Context(), m1, repo.InfoOptions{})
	if err != nil || info.Gated != "" || !info.Private {
		t.Errorf("%+v, %v", info, err)
	}
	d.must(d.git, `{"operation":"create_branch","repo_id":"bob/m1","branch":"a/b"}`, "**Branch created:** a/b\n"+d.Base()+"/bob/m1/tree/a%2Fb")
	if d.Asked("POST", "/api/models/bob/m1/branch/a%2Fb") != 1 {
		t.Errorf("sent %v", d.Sent())
	}
}

// Branches and tags.
func TestBranchesAndTags(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	d.must(d.git, `{"operation":"create_branch","repo_id":"m1","branch":"dev"}`, "**Branch created:** dev")
	d.refused(d.git, `{"operation":"create_branch","repo_id":"m1","branch":"dev"}`, "Error: ")
	d.must(d.git, `{"operation":"create_branch","repo_id":"m1","branch":"dev","exist_ok":true}`, "**Branch exists:** dev")
	d.must(d.git, `{"operation":"create_tag","repo_id":"m1","tag":"v1","tag_message":"first"}`, "**Tag created:** v1", "/tree/v1")
	d.must(d.git, `{"operation":"create_tag","repo_id":"m1","tag":"v1","exist_ok":true}`, "**Tag exists:** v1")
	d.must(d.git, `{"operation":"list_refs","repo_id":"m1"}`, "**Branches (2):**\n", "- dev (", "- main (", "**Tags (1):**\n- v1 (")
	d.must(d.git, `{"operation":"delete_tag","repo_id":"m1","tag":"v1"}`, "**Tag deleted:** v1")
	d.must(d.git, `{"operation":"delete_branch","repo_id":"m1","branch":"dev"}`, "**Branch deleted:** dev")
	d.must(d.git, `{"operation":"list_refs","repo_id":"m1"}`, "**Branches (1):**", "**Tags:** none")
	d.must(d.git, `{"operation":"list_commits","repo_id":"m1"}`, "commits of main", "(bob)")
}

// The life of a pull request.
func TestPullRequests(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	url := d.Base() + "/bob/m1/discussions/1"
	r, env := d.callEnv(d.git, `{"operation":"create_pr","repo_id":"bob/m1","title":"Better weights","description":"because"}`)
	d.want(r, true, "**Draft PR #1 created:** Better weights\n"+url, "upload with revision=refs/pr/1")
	if !slices.Equal(env.Refs(), []string{"pr:model/bob/m1#1"}) {
		t.Errorf("effects %q", env.Refs())
	}
	d.must(d.files, `{"operation":"upload","repo_id":"bob/m1","path":"new.txt","content":"hello\n","revision":"refs/pr/1"}`, "**Uploaded:** new.txt", "/blob/refs%2Fpr%2F1/new.txt")
	d.must(d.git, `{"operation":"list_prs","repo_id":"bob/m1"}`, "[DRAFT] #1 [PR] Better weights")
	d.must(d.git, `{"operation":"change_pr_status","repo_id":"bob/m1","pr_num":1,"new_status":"open"}`, "changed to open")
	d.must(d.git, `{"operation":"comment_pr","repo_id":"bob/m1","pr_num":1,"comment":"looks good"}`, "**Comment added to #1**")
	d.refused(d.git, `{"operation":"comment_pr","repo_id":"bob/m1","pr_num":1,"comment":"my key is hf_secret"}`, "shows a secret", "nothing was sent")
	d.must(d.git, `{"operation":"rename_pr","repo_id":"bob/m1","pr_num":1,"title":"Much better weights"}`, "renamed")
	d.must(d.git, `{"operation":"get_pr","repo_id":"bob/m1","pr_num":1}`,
		"**#1: Much better weights**", "Status: open", "Author: bob", url, "upload with revision=refs/pr/1", "because", "looks good", "new.txt", "+hello")
	d.must(d.git, `{"operation":"merge_pr","repo_id":"bob/m1","pr_num":1}`, "**PR #1 merged**")
	if got := d.paths(m1); !strings.Contains(got, "new.txt") {
		t.Errorf("main has %q", got)
	}
	d.must(d.git, `{"operation":"create_pr","repo_id":"bob/m1","title":"Second"}`)
	d.must(d.git, `{"operation":"close_pr","repo_id":"bob/m1","pr_num":2,"comment":"no"}`, "#2 closed")
	d.must(d.git, `{"operation":"list_prs","repo_id":"bob/m1","status":"closed","limit":1}`, "[CLOSED] #2 [PR] Second")
	d.must(d.git, `{"operation":"list_prs","repo_id":"bob/m1","limit":1}`, "and more")
	d.must(d.git, `{"operation":"list_prs","repo_id":"bob/m1","type":"discussion"}`, "No discussions or pull requests found.")
	for _, title := range []string{"ab", strings.Repeat("x", 201)} {
		args, _ := json.Marshal(map[string]any{"operation": "create_pr", "repo_id": "bob/m1", "title": title})
		d.refused(d.git, string(args), "title", "3 to 200")
	}
}

// Repositories come, change and go; who made one is told.
func TestRepositories(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	r, env := d.callEnv(d.git, `{"operation":"create_repo","repo_id":"fresh","repo_type":"dataset"}`)
	d.want(r, true, "**Repository created:** bob/fresh\n**Private:** true\n"+d.Base()+"/datasets/bob/fresh")
	if !slices.Equal(env.Refs(), []string{"repo:dataset/bob/fresh"}) || len(d.made) != 1 || !strings.HasPrefix(d.made[0], "made ") {
		t.Errorf("effects %q, made %q", env.Refs(), d.made)
	}
	d.refused(d.git, `{"operation":"create_repo","repo_id":"fresh","repo_type":"dataset"}`, "Error: ")
	d.must(d.git, `{"operation":"create_repo","repo_id":"fresh","repo_type":"dataset","exist_ok":true}`, "**Repository exists:**")
	d.refused(d.git, `{"operation":"create_repo","repo_id":"s","repo_type":"space"}`, "space_sdk is required")
	d.must(d.git, `{"operation":"create_repo","repo_id":"acme/s","repo_type":"space","space_sdk":"static","private":false}`, "**Private:** false", "/spaces/acme/s")
	d.refused(d.git, `{"operation":"update_repo","repo_id":"fresh","repo_type":"dataset"}`, "private or gated is required")
	d.must(d.git, `{"operation":"duplicate_repo","repo_id":"bob/fresh","repo_type":"dataset","to_id":"copy"}`, "as bob/copy")
	d.must(d.git, `{"operation":"move_repo","repo_id":"bob/copy","repo_type":"dataset","to_id":"acme/moved"}`, "bob/copy to acme/moved")
	d.refused(d.git, `{"operation":"move_repo","repo_id":"bob/fresh","repo_type":"dataset"}`, "to_id is required")
	d.must(d.git, `{"operation":"super_squash","repo_id":"bob/m1"}`, "squashed")
	d.refused(d.git, `{"operation":"delete_repo","repo_id":"bob/fresh","repo_type":"dataset"}`, `confirm must be "bob/fresh"`)
	d.must(d.git, `{"operation":"delete_repo","repo_id":"bob/fresh","repo_type":"dataset","confirm":"bob/fresh"}`, "**Repository deleted:** bob/fresh")
	if ok, err := d.client.Repos.Exists(t.Context(), repo.Ref{Type: wire.Dataset, ID: "bob/fresh"}); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	d.refused(d.git, `{"operation":"dance","repo_id":"bob/m1"}`, "create_branch", "update_repo")
	d.refused(d.git, `{}`, "operation is required")
}

// A free account is told what a Space of this kind costs.
func TestSpaceNeedsAPlan(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	alice := d.Client(stagetest.Alice)
	git, err := repos.NewGit(repos.Options{
		Repos: alice.Repos, Commits: alice.Commits, Discussions: alice.Discussions, Endpoint: alice.Endpoint(),
		User: func(context.Context) (string, error) { return "alice", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	d.refused(git, `{"operation":"create_repo","repo_id":"s","repo_type":"space","space_sdk":"docker"}`, "paid plan", "static Spaces are free")
}

// What each operation asks for.
func TestGitRisks(t *testing.T) {
	d := newDesk(t, stagetest.Sockets(t, false))
	for op, want := range map[string]struct {
		gate   tool.Gate
		effect event.Effect
	}{
		"list_refs": {tool.Open, event.Read}, "list_prs": {tool.Open, event.Read}, "get_pr": {tool.Open, event.Read}, "list_commits": {tool.Open, event.Read},
		"delete_branch": {tool.Ask, event.Once}, "delete_tag": {tool.Ask, event.Once}, "merge_pr": {tool.Ask, event.Once},
		"create_repo": {tool.Ask, event.Keyed}, "update_repo": {tool.Ask, event.Once}, "move_repo": {tool.Ask, event.Once}, "duplicate_repo": {tool.Ask, event.Once},
		"create_pr": {tool.Ask, event.Once}, "comment_pr": {tool.Ask, event.Once}, "close_pr": {tool.Ask, event.Once}, "change_pr_status": {tool.Ask, event.Once},
		"rename_pr": {tool.Ask, event.Once}, "create_branch": {tool.Ask, event.Once}, "create_tag": {tool.Ask, event.Once},
		"delete_repo": {tool.Always, event.Once}, "super_squash": {tool.Always, event.Once},
	} {
		risk := d.git.Risk(json.RawMessage(`{"operation":"` + op + `","repo_id":"bob/m1"}`))
		if risk.Gate != want.gate || risk.Effect != want.effect || risk.Operation != op || risk.Gate != tool.Open && risk.Reason == "" {
			t.Errorf("%s: %+v", op, risk)
		}
	}
}

// The tool keeps the promises of every tool.
func TestGitConformance(t *testing.T) {
	open := func(t *testing.T) (tool.Tool, *tooltest.Env) {
		d := newDesk(t, stagetest.Sockets(t, false))
		d.Fault(`{"match":{"path":"/refs$"},"do":{"latencyMs":5000}}`)
		return d.git, &tooltest.Env{}
	}
	tooltest.Run(t, tooltest.Case{
		New: open, Params: repos.GitParams{},
		Good: `{"operation":"create_repo","repo_id":"bob/made"}`,
		Bad:  map[string]string{`{"operation":"merge_pr","repo_id":"bob/m1"}`: "pr_num"},
		Slow: `{"operation":"list_refs","repo_id":"bob/m1"}`,
	})
}
