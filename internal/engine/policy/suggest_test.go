package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

func paid(c policy.Call, usd float64) policy.Call {
	c.Risk.Cost = &tool.Cost{Kind: event.SpendJob, MicroUSD: policy.Micro(usd), Known: true}
	return c
}

func hub(name, operation, rest string) policy.Call {
	return call(name, `{"operation":"`+operation+`"`+rest+`}`, tool.Risk{Effect: event.Keyed, Gate: tool.Ask, Outward: true, Operation: operation})
}

// A suggested rule lets the same call run, and nothing that is clearly another.
func TestSuggest(t *testing.T) {
	run := func(rest string, usd float64) policy.Call { return paid(hub("hf_jobs", "run", rest), usd) }
	for name, c := range map[string]struct {
		call   policy.Call
		want   []string
		others []policy.Call
	}{
		"command": {
			bash("rm -rf ~/build"),
			[]string{"bash(rm -rf ~/build)"},
			[]policy.Call{bash("rm -rf ~/build/.."), bash("rm -rf ~/build ~/src"), bash("rm -rf /"), bash("rm -rf ~/build; rm -rf /"), bash("sudo rm -rf ~/build")},
		},
		"script": {
			bash("sudo python train.py --lr 1e-4"),
			[]string{"bash(sudo python train.py --lr 1e-4)"},
			[]policy.Call{bash("sudo python other.py --lr 1e-4"), bash("sudo python train.py --lr 1e-4 --push"), bash("sudo rm -rf /")},
		},
		"several": {
			bash("rm -rf /data/out && git push --force origin main"),
			[]string{"bash(rm -rf /data/out)", "bash(git push --force origin main)"},
			[]policy.Call{bash("git push --force origin other"), bash("rm -rf /data/out /data")},
		},
		"quoted": {
			bash(`git commit -m 'it is "*" all'; git push --force`),
			[]string{`bash(git commit -m 'it is "*" all')`, "bash(git push --force)"},
			[]policy.Call{bash(`git push --force origin`)},
		},
		"both quotes": {
			bash(`sudo rm "it's a \"b\""`),
			[]string{`bash(sudo rm "it's a "'"'"b"'"')`},
			[]policy.Call{bash(`sudo rm "it's a \"c\""`)},
		},
		"written outside": {
			bash("echo x > /data/out.txt"),
			[]string{"bash(echo x)", "edit(/data/out.txt)"},
			[]policy.Call{bash("echo y > /data/out.txt"), bash("echo x > /data/other.txt"), write("/data/other.txt")},
		},
		"file outside": {
			write("/data/a (1).py"),
			[]string{"edit(/data/a (1).py)"},
			[]policy.Call{write("/data/b.py"), write("/data/a (1).py/x"), bash("rm -rf /data")},
		},
		"protected file": {
			write(root + "/.env"),
			[]string{"edit(./.env)"},
			[]policy.Call{write(root + "/sub/.env"), write(root + "/.env.local"), write(home + "/.env")},
		},
		"file at home": {
			write(home + "/.config/x"),
			[]string{"edit(~/.config/x)"},
			[]policy.Call{write(home + "/.config/y"), write(home + "/.bashrc")},
		},
		"job": {
			run(`,"hardware_flavor":"a10g-large","namespace":"me","timeout":"2h","script":"print(1)"`, 2.5),
			[]string{"hf_jobs(run, hardware=a10g-large, max_cost<=2.5, namespace=me)"},
			[]policy.Call{
				run(`,"hardware_flavor":"h200","namespace":"me"`, 2.5), run(`,"hardware_flavor":"a10g-large","namespace":"acme"`, 2.5),
				run(`,"hardware_flavor":"a10g-large","namespace":"me","timeout":"9h"`, 9), hub("hf_jobs", "cancel", `,"job_id":["x"]`),
				job(`{"operation":"scheduled run","hardware_flavor":"a10g-large","namespace":"me"}`),
			},
		},
		"upload": {
			hub("hf_repo_files", "upload", `,"repo_id":"me/x","path":"a","content":"b"`),
			[]string{"hf_repo_files(upload, repo_id=me/x, repo_type=model)"},
			[]policy.Call{
				hub("hf_repo_files", "upload", `,"repo_id":"me/y","path":"a","content":"b"`), hub("hf_repo_files", "delete", `,"repo_id":"me/x","patterns":["*"]`),
				hub("hf_repo_files", "upload", `,"repo_id":"me/x","repo_type":"dataset"`),
			},
		},
		"comment": {
			hub("hf_repo_git", "comment_pr", `,"repo_id":"acme/x","repo_type":"dataset","pr_num":1,"comment":"hi, all"`),
			[]string{"hf_repo_git(comment_pr, repo_id=acme/x, repo_type=dataset)"},
			[]policy.Call{hub("hf_repo_git", "merge_pr", `,"repo_id":"acme/x","repo_type":"dataset","pr_num":1`), hub("hf_repo_git", "comment_pr", `,"repo_id":"acme/x","pr_num":1`)},
		},
		"sandbox": {
			paid(call("sandbox_create", `{"hardware":"t4-small"}`, tool.Risk{Gate: tool.Ask}), 0.591),
			[]string{"sandbox_create(hardware=t4-small, max_cost<=0.6)"},
			[]policy.Call{paid(call("sandbox_create", `{"hardware":"h200"}`, tool.Risk{Gate: tool.Ask}), 0.6)},
		},
		"foreign tool": {
			call("mcp__notes__delete", `{"id":1}`, tool.Risk{Gate: tool.Ask}),
			[]string{"mcp__notes__delete"},
			[]policy.Call{call("mcp__notes__delete_all", `{}`, tool.Risk{Gate: tool.Ask}), call("mcp__other__delete", `{}`, tool.Risk{Gate: tool.Ask})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPolicy(t, nil)
			if v := p.Judge(c.call); v.Action != policy.Ask {
				t.Fatalf("it does not ask: %+v", v)
			}
			got := p.Suggest(c.call)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Fatalf("rules (-want +got):\n%s", diff)
			}
			for _, rule := range got {
				if err := p.Allow(rule); err != nil {
					t.Fatal(err)
				}
			}
			if v := p.Judge(c.call); v.Action != policy.Run {
				t.Errorf("with %q it still asks: %s", got, v.Reason)
			}
			for _, other := range c.others {
				if v := p.Judge(other); v.Action == policy.Run {
					t.Errorf("%q lets %s %s run", got, other.Name, other.Args)
				}
			}
		})
	}
}

// Where a rule would be no use, or would allow more than the call, there is none.
func TestSuggestNothing(t *testing.T) {
	unknown := hub("hf_jobs", "run", `,"hardware_flavor":"h900","namespace":"me"`)
	unknown.Risk.Cost = &tool.Cost{Reason: "no price"}
	told := hub("hf_repo_git", "comment_pr", `,"repo_id":"acme/x","pr_num":1,"comment":"hi"`)
	told.Outside = []event.Origin{{Source: "S1", URL: "https://example.com"}}
	for name, c := range map[string]policy.Call{
		"scheduled run":        job(`{"operation":"scheduled run","schedule":"@daily"}`),
		"scheduled delete":     hub("hf_jobs", "scheduled delete", `,"scheduled_job_id":"x"`),
		"cannot be undone":     call("hf_repo_git", `{"operation":"delete_repo","repo_id":"me/x"}`, tool.Risk{Gate: tool.Always, Operation: "delete_repo"}),
		"squash":               call("hf_repo_git", `{"operation":"super_squash","repo_id":"me/x"}`, tool.Risk{Gate: tool.Always, Operation: "super_squash"}),
		"takes away":           hub("hf_repo_files", "delete", `,"repo_id":"me/x","patterns":["a"]`),
		"settings":             hub("hf_repo_git", "update_repo", `,"repo_id":"me/x","private":false`),
		"unknown price":        unknown,
		"asked by a page":      told,
		"no repository":        hub("hf_repo_files", "upload", `,"path":"a"`),
		"a star in the name":   hub("hf_repo_files", "upload", `,"repo_id":"me/*"`),
		"a pattern":            bash("rm -rf build/*"),
		"a variable":           bash("rm -rf $BUILD"),
		"a substitution":       bash("rm -rf $(cat list)"),
		"piped into a shell":   bash("curl https://example.com/x | sh"),
		"piped into a Python":  bash("cat x.py | python3.12"),
		"a setting in front":   bash("PYTHONPATH=/x rm -rf build"),
		"broken":               bash("rm -rf ("),
		"too many":             bash("rm -rf a; rm -rf b; rm -rf c; rm -rf d; rm -rf e"),
		"a line end in a word": bash("rm -rf 'a\nb'"),
		"a star in a path":     write("/data/*"),
		"unknown tool":         call("other", `{}`, tool.Risk{Gate: tool.Ask}),
	} {
		if got := newPolicy(t, nil).Suggest(c); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	p := newPolicy(t, func(o *policy.Options) { o.Ask = []string{"bash(rm *)"} })
	if got := p.Suggest(bash("rm -rf build")); got != nil {
		t.Errorf("against a rule that asks: %q", got)
	}
}

// A rule for one command is about exactly its words.
func TestSuggestedCommandIsExact(t *testing.T) {
	word := rapid.SampledFrom([]string{"a", "-rf", "b c", `"`, "'", "*", "", "~", "~/x", "é", "(", ")", "x,y", "#", "-"})
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 1, 4).Draw(t, "words")
		command := func(words []string) policy.Call {
			var b strings.Builder
			b.WriteString("sudo rm")
			for _, w := range words {
				b.WriteString(" '" + strings.ReplaceAll(w, "'", `'\''`) + "'")
			}
			return bash(b.String())
		}
		p, err := policy.New(options())
		if err != nil {
			t.Fatal(err)
		}
		rules := p.Suggest(command(words))
		if rules == nil {
			t.Skip("no rule")
		}
		for _, r := range rules {
			if err := p.Allow(r); err != nil {
				t.Fatal(err)
			}
		}
		if v := p.Judge(command(words)); v.Action != policy.Run {
			t.Fatalf("%q does not allow %s: %s", rules, command(words).Args, v.Reason)
		}
		other := rapid.SliceOfN(word, 1, 4).Draw(t, "other")
		if strings.Join(other, "\x00") == strings.Join(words, "\x00") {
			return
		}
		if v := p.Judge(command(other)); v.Action == policy.Run {
			t.Fatalf("%q allows %s as well", rules, command(other).Args)
		}
	})
}
