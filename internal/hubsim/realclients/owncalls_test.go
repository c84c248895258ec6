package realclients_test

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/discussion"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/download"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// helloOID is what git calls "hello\n".
const helloOID = "ce013625030ba8dba906f756967f9e9ca394464a"

// calls are the rows as the project's client makes them.
func (o *own) calls() map[string]func() {
	return map[string]func(){
		"P1": o.p1, "P2": o.p2, "P3": o.p3, "P4": o.p4, "P5": o.p5, "P6": o.p6, "P7": o.p7, "P8": o.p8, "P9": o.p9,
		"P10": o.p10, "P11": o.p11, "P12": o.p12, "P13": o.p13, "P14": o.p14, "P15": o.p15, "P16": o.p16, "P17": o.p17,
		"P18": o.p18, "P19": o.p19, "P20": o.p20, "P21": o.p21, "P22": o.p22, "P23": o.p23, "P24": o.p24, "P25": o.p25,
		"P26": o.p26, "P27": o.p27, "P28": o.p28, "P29": o.p29, "P30": o.p30, "P31": o.p31, "P32": o.p32, "P33": o.p33,
		"P34": o.p34, "P35": o.p35, "P36": o.p36, "P37": o.p37, "P38": o.p38, "P39": o.p39, "P40": o.p40, "P41": o.p41,
		"P42": o.p42, "P43": o.p43, "P44": o.p44, "P45": o.p45, "P46": o.p46, "P47": o.p47,
	}
}

func (o *own) p1() {
	must(got(o.bob.Account.Whoami(o.ctx)).Name == "bob", "not bob")
}

func (o *own) p2() {
	_, err := o.client("hf_wrong").Account.Whoami(o.ctx)
	refused(err, wire.Unauthorized, "Invalid user token.")
}

func (o *own) p3() {
	made := got(o.bob.Repos.Create(o.ctx, repo.CreateSpec{Ref: model("bob/m1"), Visibility: "private"}))
	must(made.URL == o.sim.url+"/bob/m1" && made.Name == "bob/m1", "made %+v", made)
}

func (o *own) p4() {
	_, err := o.bob.Repos.Create(o.ctx, repo.CreateSpec{Ref: model("bob/m1")})
	refused(err, wire.Conflict)
	made := got(o.bob.Repos.Ensure(o.ctx, repo.CreateSpec{Ref: model("bob/m1")}))
	must(made.URL == o.sim.url+"/bob/m1", "found %+v", made)
}

func (o *own) p5() {
	_, err := o.bob.Repos.Create(o.ctx, repo.CreateSpec{Ref: model("acme2/x")})
	refused(err, wire.Forbidden, `under the namespace "acme2"`)
}

func (o *own) p6() {
	made := got(o.write("bob/m1", add("a/b.txt", []byte("hello\n"))))
	must(!made.Unchanged && len(made.OID) == 40 && made.URL == o.sim.url+"/bob/m1/commit/"+made.OID, "made %+v", made)
	at := got(o.bob.Repos.Paths(o.ctx, model("bob/m1"), "main", []string{"a/b.txt"}, false))
	must(len(at) == 1 && at[0].OID == helloOID, "found %+v", at)
}

func (o *own) p7() {
	before := o.head("bob/m1")
	o.sim.here()
	made := got(o.write("bob/m1", add("a/b.txt", []byte("hello\n"))))
	o.sim.here()
	must(made.Unchanged && made.OID == before && o.head("bob/m1") == before, "made %+v after %s", made, before)
}

func (o *own) p8() { got(o.write("bob/m1", add("w.bin", o.small))) }
func (o *own) p9() { got(o.write("bob/m1", add("big.bin", o.big))) }

func (o *own) p10() {
	_, err := o.write("bob/m1", add("README.md", []byte("---\nlicense: 3\n---\n# Card\n")))
	refused(err, wire.Invalid, "license", "nothing was written")
}

func (o *own) p11() {
	o.old = o.head("bob/m1")
	o.sim.here()
	made := got(o.write(
		"bob/m1", add("q.txt", []byte("q\n")), commit.Delete{Path: "w.bin"}, commit.Copy{From: "big.bin", Path: "copy.bin"},
		commit.Copy{From: "a/b.txt", Path: "c.txt"},
	))
	o.sim.here()
	must(all(o.bob.Repos.Commits(o.ctx, model("bob/m1"), "main", 2))[1].ID == o.old, "more than one commit")
	at := map[string]repo.Entry{}
	for _, e := range got(o.bob.Repos.Paths(o.ctx, model("bob/m1"), "main", []string{"q.txt", "w.bin", "big.bin", "copy.bin", "c.txt"}, false)) {
		at[e.Path] = e
	}
	big, twin := at["big.bin"], at["copy.bin"]
	must(len(at) == 4 && made.OID == o.head("bob/m1"), "found %v", at)
	must(big.LFS != nil && twin.LFS != nil && *big.LFS == *twin.LFS && big.OID == twin.OID && twin.Size == int64(len(o.big)), "%+v and %+v", big, twin)
	must(at["c.txt"].OID == helloOID, "the copy is %s", at["c.txt"].OID)
}

func (o *own) p12() {
	_, err := o.bob.Commits.Commit(o.ctx, commit.Request{
		Target: commit.Target{Repo: "bob/m1"}, Operations: []commit.Operation{add("q.txt", []byte("r\n"))}, Summary: "x", Parent: o.old,
	})
	var c *commit.Conflict
	must(errors.As(err, &c) && slices.Equal(c.Paths, []string{"q.txt"}), "failed with %v", err)
}

func (o *own) p13() {
	got(o.write("bob/m1", commit.Delete{Path: "a", Folder: true}))
	before := o.head("bob/m1")
	_, err := o.write("bob/m1", commit.Delete{Path: "zz"})
	refused(err, wire.EntryNotFound)
	must(o.head("bob/m1") == before && !slices.Contains(o.paths("bob/m1"), "a/b.txt"), "the wrong things are gone")
}

func (o *own) p14() {
	dir := o.t.TempDir()
	for _, name := range []string{"x.txt", "y.txt"} {
		ok(os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
	}
	o.sim.here()
	got(o.bob.Commits.Upload(o.ctx, commit.Folder{
		Request: commit.Request{Target: commit.Target{Repo: "bob/m1"}, Summary: "folder"}, Dir: dir, Delete: []string{"*.bin"},
	}))
	o.sim.here()
	must(slices.Equal(o.paths("bob/m1"), []string{".gitattributes", "c.txt", "q.txt", "x.txt", "y.txt"}), "there are %v", o.paths("bob/m1"))
}

func (o *own) p15() {
	d := o.cache(o.bob)
	first, data, err := o.fetch(d, "bob/m1", "main", "q.txt")
	ok(err)
	o.sim.here()
	second, _, err := o.fetch(d, "bob/m1", "main", "q.txt")
	ok(err)
	must(first == second && string(data) == "q\n", "%s and %s hold %q", first, second, data)
}

func (o *own) p16() {
	got(o.write("bob/m1", add("big.bin", o.big)))
	o.sim.here()
	o.weights()
}

func (o *own) p17() {
	o.faults(`{"match":{"host":"cdn","method":"GET","count":2},"do":{"dropAfterBytes":1000000}}`)
	o.weights()
	o.sim.here()
	o.faults(`{"match":{"host":"cdn","method":"GET","count":9},"do":{"dropAfterBytes":1000}}`)
	o.weights()
	o.sim.here()
	o.faults(`{"match":{"host":"cdn","method":"GET"},"do":{"dropAfterBytes":0}}`)
	_, _, err := o.fetch(o.cache(o.bob), "bob/m1", "main", "big.bin")
	refused(err, wire.Unreachable)
}

func (o *own) p18() {
	o.faults(
		`{"match":{"host":"cdn","method":"GET","count":1},"do":{"dropAfterBytes":1000000}}`,
		`{"match":{"host":"cdn","method":"GET","count":1},"do":{"ignoreRange":true}}`,
	)
	o.weights()
}

func (o *own) p19() {
	_, _, err := o.fetch(o.cache(o.bob), "bob/m1", "main", "nope")
	refused(err, wire.EntryNotFound)
}

func (o *own) p20() {
	want := o.paths("bob/m1")
	d, src := o.cache(o.bob), download.Source{Type: wire.Model, ID: "bob/m1", Revision: "main"}
	o.sim.here()
	dir, n, err := d.Snapshot(o.ctx, src, download.SnapshotOptions{})
	ok(err)
	o.sim.here()
	for _, path := range want {
		_ = got(os.Stat(filepath.Join(dir, filepath.FromSlash(path))))
	}
	must(n == len(want), "%d files, want %v", n, want)
	dest := filepath.Join(o.t.TempDir(), "local.bin")
	got(d.To(o.ctx, src, "big.bin", dest))
	must(bytes.Equal(got(os.ReadFile(dest)), o.big), "the local file has other bytes")
}

func (o *own) p21() {
	found := 0
	for _, s := range got(o.bob.Repos.Info(o.ctx, model("bob/m1"), repo.InfoOptions{Blobs: true})).Siblings {
		must(s.Size > 0 && s.BlobID != "" && (s.LFS != nil) == strings.HasSuffix(s.Path, ".bin"), "%+v", s)
		found++
	}
	must(found == len(o.paths("bob/m1")), "%d files", found)
}

func (o *own) p22() {
	refused(last(o.bob.Repos.Info(o.ctx, model("bob/none"), repo.InfoOptions{})), wire.RepoNotFound)
	refused(last(o.nobody.Repos.Info(o.ctx, model("bob/m1"), repo.InfoOptions{})), wire.RepoNotFound)
	refused(last(o.bob.Repos.Info(o.ctx, model("bob/m1"), repo.InfoOptions{Revision: "nope"})), wire.RevisionNotFound)
}

func (o *own) p23() {
	got(o.write("bob/m1", add("a/b.txt", []byte("hello\n"))))
	kinds := map[string]int{}
	for _, e := range all(o.bob.Repos.Tree(o.ctx, model("bob/m1"), "main", repo.TreeOptions{Recursive: true})) {
		kinds[e.Type]++
	}
	must(kinds["directory"] == 1 && kinds["file"] == len(o.paths("bob/m1")), "%v", kinds)
	for _, err := range o.bob.Repos.Tree(o.ctx, model("bob/m1"), "main", repo.TreeOptions{Path: "zzz"}) {
		refused(err, wire.EntryNotFound)
	}
}

func (o *own) p24() {
	at := got(o.bob.Repos.Paths(o.ctx, model("bob/m1"), "main", []string{"a", "big.bin", "missing"}, false))
	must(len(at) == 2 && at[0].Dir() != at[1].Dir(), "%+v", at)
}

func (o *own) p25() {
	exists := func(path string) bool {
		return len(got(o.bob.Repos.Paths(o.ctx, model("bob/m1"), "main", []string{path}, false))) == 1
	}
	must(exists("q.txt") && !exists("zz"), "files")
	must(got(o.bob.Repos.Exists(o.ctx, model("bob/m1"))) && !got(o.bob.Repos.Exists(o.ctx, model("bob/zz"))), "repositories")
	refused(last(o.bob.Repos.Head(o.ctx, model("bob/m1"), "zz")), wire.RevisionNotFound)
}

func (o *own) p26() {
	r, a := model("bob/m1"), o.bob.Repos
	spec := repo.BranchSpec{Name: "feat/x", From: o.head("bob/m1")}
	ok(a.CreateBranch(o.ctx, r, spec))
	refused(a.CreateBranch(o.ctx, r, spec), wire.Conflict)
	must(got(a.Head(o.ctx, r, "feat/x")) == spec.From, "the branch is elsewhere")
	ok(a.DeleteBranch(o.ctx, r, "feat/x"))
	must(a.DeleteBranch(o.ctx, r, "main") != nil, "main is gone")
}

func (o *own) p27() {
	r, a := model("bob/m1"), o.bob.Repos
	ok(a.CreateTag(o.ctx, r, "v1", "main", ""))
	tags := got(a.Refs(o.ctx, r, false)).Tags
	must(len(tags) == 1 && tags[0].Name == "v1" && tags[0].Target == o.head("bob/m1"), "%+v", tags)
	ok(a.DeleteTag(o.ctx, r, "v1"))
	must(len(got(a.Refs(o.ctx, r, false)).Tags) == 0, "still there")
}

func (o *own) p28() {
	made := got(o.bob.Commits.Commit(o.ctx, commit.Request{
		Target: commit.Target{Repo: "bob/m1"}, Operations: []commit.Operation{add("pr.txt", []byte("pr\n"))}, Summary: "PR", CreatePR: true,
	}))
	must(made.PullRequest == 1 && made.PullRequestURL == o.sim.url+"/bob/m1/discussions/1", "made %+v", made)
	_, data, err := o.fetch(o.cache(o.bob), "bob/m1", "refs/pr/1", "pr.txt")
	ok(err)
	must(string(data) == "pr\n" && !slices.Contains(o.paths("bob/m1"), "pr.txt"), "%q", data)
}

func (o *own) p29() {
	r := discussion.Repo{Type: wire.Model, ID: "bob/m1"}
	ok(o.bob.Discussions.Merge(o.ctx, r, 1, ""))
	must(got(o.bob.Discussions.Details(o.ctx, r, 1, false)).Status == discussion.Merged, "not merged")
	must(slices.Contains(o.paths("bob/m1"), "pr.txt"), "not on main")
}

func (o *own) p30() {
	r, a := discussion.Repo{Type: wire.Model, ID: "bob/m1"}, o.bob.Discussions
	made := got(a.Create(o.ctx, r, discussion.Draw{Title: "Question", Description: "Why?"}))
	must(made.Num == 2, "made %+v", made)
	got(a.Comment(o.ctx, r, 2, "Because"))
	got(a.Rename(o.ctx, r, 2, "Answer"))
	got(a.SetStatus(o.ctx, r, 2, discussion.Closed, "done"))
	d := got(a.Details(o.ctx, r, 2, false))
	var kinds []string
	for _, e := range d.Events {
		kinds = append(kinds, e.Type)
	}
	must(d.Title == "Answer" && d.Status == discussion.Closed && slices.Equal(kinds[:3], []string{"comment", "comment", "title-change"}) &&
		slices.Contains(kinds[3:], "status-change"), "%+v %v", d, kinds)
	list := all(a.List(o.ctx, r, discussion.Filter{}))
	must(len(list) == 2 && list[0].Num == 2, "%+v", list)
}

func (o *own) p31() {
	gated := repo.Gated("auto")
	got(o.bob.Repos.Configure(o.ctx, model("bob/m1"), repo.Settings{Gated: &gated, Visibility: "public"}))
	d := o.cache(o.alice)
	_, _, err := o.fetch(d, "bob/m1", "main", "x.txt")
	refused(err, wire.GatedRepo)
	ok(o.bob.Repos.GrantAccess(o.ctx, model("bob/m1"), "alice"))
	_, data, err := o.fetch(d, "bob/m1", "main", "x.txt")
	ok(err)
	must(string(data) == "x.txt", "%q", data)
}

func (o *own) p32() {
	ok(o.bob.Repos.Move(o.ctx, model("bob/m1"), "bob/m2"))
	must(got(o.bob.Repos.Info(o.ctx, model("bob/m1"), repo.InfoOptions{})).ID == "bob/m2", "the old name leads elsewhere")
}

func (o *own) p33() {
	for _, name := range []string{"bob/l1", "bob/l2"} {
		got(o.bob.Repos.Create(o.ctx, repo.CreateSpec{Ref: model(name)}))
	}
	o.sim.here()
	must(len(all(o.bob.Repos.List(o.ctx, wire.Model, repo.ListOptions{Author: "bob", Limit: 1}))) == 1, "not one")
	one := all(o.bob.Repos.List(o.ctx, wire.Model, repo.ListOptions{Author: "bob", Limit: 1, Expand: []string{"downloads"}}))
	must(len(one) == 1 && one[0].ID != "" && one[0].Created.IsZero(), "%+v", one)
	o.sim.here()
	pages := repo.ListOptions{Author: "bob", More: url.Values{"limit": {"2"}}}
	must(len(all(o.bob.Repos.List(o.ctx, wire.Model, pages))) == 3, "the second page is missing")
	o.sim.here()
	o.faults(`{"match":{"path":"^/api/models$","count":1},"do":{"emptyPage":true}}`)
	for _, err := range o.bob.Repos.List(o.ctx, wire.Model, repo.ListOptions{Author: "bob"}) {
		refused(err, wire.Unexpected, "circle") // a page that leads to itself
	}
}

// run submits a job as the program does: with a label of its own.
func (o *own) run(spec job.Spec) job.Job {
	const key = "ml-intern-req"
	if spec.Labels == nil {
		spec.Labels = map[string]string{}
	}
	spec.Labels[key] = strings.ReplaceAll(time.Now().Format("150405.000000000"), ".", "")
	spec.Flavor, spec.Arguments, spec.DockerImage = "cpu-basic", []string{}, "x"
	if spec.Environment == nil {
		spec.Environment = map[string]string{}
	}
	return got(o.bob.Jobs.Run(o.ctx, "bob", spec, key))
}

// follow reads a job to its end: its lines but the Hub's own, and what became
// of it.
func (o *own) follow(id string) (lines []string, end job.Job) {
	for u, err := range o.bob.Jobs.Follow(o.ctx, "bob", id, 0) {
		ok(err)
		if u.Line != nil && !strings.HasPrefix(u.Line.Text, "Job started") {
			lines = append(lines, u.Line.Text)
		}
		if u.Job != nil {
			end = *u.Job
		}
	}
	return lines, end
}

func (o *own) p34() {
	made := o.run(job.Spec{
		Command: []string{"sh", "-c", "echo one; echo $FOO; echo $SEC"}, Environment: map[string]string{"FOO": "foo"},
		Secrets: map[string]string{"SEC": "sss"},
	})
	lines, end := o.follow(made.ID)
	must(slices.Equal(lines, []string{"one", "foo", "sss"}), "%q", lines)
	must(end.Status.Stage == job.Completed && slices.Equal(end.Secrets, []string{"SEC"}), "%+v", end)
}

func (o *own) p35() {
	_, end := o.follow(o.run(job.Spec{Command: []string{"sh", "-c", "exit 3"}}).ID)
	must(end.Status.Stage == job.Failed && strings.Contains(end.Status.Message, "exit code: 3"), "%+v", end.Status)
	slow := o.run(job.Spec{Command: []string{"sleep", "60"}})
	got(o.bob.Jobs.Cancel(o.ctx, "bob", slow.ID))
	_, end = o.follow(slow.ID)
	must(end.Status.Stage == job.Canceled, "%+v", end.Status)
	_, end = o.follow(o.run(job.Spec{Command: []string{"sleep", "60"}, TimeoutSeconds: 1}).ID)
	must(end.Status.Stage == job.Failed && end.Status.Message == "Job timeout", "%+v", end.Status)
}

func (o *own) p36() {
	refused(last(o.bob.Jobs.Find(o.ctx, "bob", strings.Repeat("f", 24))), wire.JobNotFound)
	made := o.run(job.Spec{Command: []string{"true"}, Labels: map[string]string{"k": "v"}})
	o.follow(made.ID)
	found := all(o.bob.Jobs.List(o.ctx, "bob", job.Filter{Labels: map[string]string{"k": "v"}}))
	must(len(found) == 1 && found[0].ID == made.ID, "%+v", found)
	must(len(all(o.bob.Jobs.List(o.ctx, "bob", job.Filter{Labels: map[string]string{"k": "w"}}))) == 0, "labels do not choose")
	must(len(all(o.bob.Jobs.List(o.ctx, "bob", job.Filter{}))) > 1, "others are missing")
}
