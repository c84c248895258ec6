package realclients_test

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/collection"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/commit"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/repo"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/space"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

func (o *own) p37() {
	want := []string{"uv", "run", "--with", "trl", "https://example.test/s.py", "--x", "1"}
	made := got(o.bob.Jobs.Find(o.ctx, "bob", o.run(job.Spec{Command: want}).ID))
	must(slices.Equal(append(slices.Clone(made.Command), made.Arguments...), want), "%q %q", made.Command, made.Arguments)
	o.follow(made.ID)
}

func (o *own) p38() {
	started := func() (ids []string) {
		for _, j := range all(o.bob.Jobs.List(o.ctx, "bob", job.Filter{})) {
			if j.Initiator.Type == "scheduled-job" {
				ids = append(ids, j.Initiator.ID)
			}
		}
		return ids
	}
	a := o.bob.Jobs
	s := got(a.Schedule(o.ctx, "bob", job.Plan{Schedule: "@hourly", Spec: job.Spec{
		DockerImage: "x", Command: []string{"echo", "hi"}, Arguments: []string{}, Environment: map[string]string{}, Flavor: "cpu-basic",
	}}))
	ok(a.Suspend(o.ctx, "bob", s.ID))
	must(got(a.FindSchedule(o.ctx, "bob", s.ID)).Suspend, "not suspended")
	list := all(a.Schedules(o.ctx, "bob"))
	must(len(list) == 1 && list[0].ID == s.ID, "%+v", list)
	o.sim.Advance(time.Hour)
	must(len(started()) == 0, "a suspended schedule has started %v", started())
	ok(a.Resume(o.ctx, "bob", s.ID))
	o.sim.Advance(time.Hour)
	for range 200 {
		if len(started()) > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	must(slices.Equal(started(), []string{s.ID}), "%v", started())
	ok(a.Unschedule(o.ctx, "bob", s.ID))
	must(len(all(a.Schedules(o.ctx, "bob"))) == 0, "still there")
}

func (o *own) p39() {
	got(o.bob.Repos.Create(o.ctx, repo.CreateSpec{Ref: spaceRef("bob/sp"), SDK: "gradio"}))
	refused(last(o.alice.Repos.Create(o.ctx, repo.CreateSpec{Ref: spaceRef("alice/sp"), SDK: "docker"})), wire.Payment)
}

func (o *own) p40() {
	a := o.bob.Spaces
	ok(a.SetSecret(o.ctx, "bob/sp", "KEY", "verysecret"))
	secrets := got(a.Secrets(o.ctx, "bob/sp"))
	must(len(secrets) == 1 && secrets["KEY"].Key == "KEY", "%+v", secrets)
	must(got(a.SetVariable(o.ctx, "bob/sp", "COLOR", "blue", ""))["COLOR"].Value == "blue", "not told")
	must(got(a.Variables(o.ctx, "bob/sp"))["COLOR"].Value == "blue", "not kept")
	got(a.DeleteVariable(o.ctx, "bob/sp", "COLOR"))
	ok(a.DeleteSecret(o.ctx, "bob/sp", "KEY"))
	must(len(got(a.Variables(o.ctx, "bob/sp"))) == 0 && len(got(a.Secrets(o.ctx, "bob/sp"))) == 0, "still there")
}

func (o *own) p41() {
	a := o.bob.Spaces
	must(got(a.Pause(o.ctx, "bob/sp")).Stage == space.Paused, "not paused")
	got(a.Restart(o.ctx, "bob/sp", true))
	r := got(a.SetHardware(o.ctx, "bob/sp", "t4-small", 300))
	must(r.Hardware.Requested == "t4-small" && r.SleepSeconds == 300, "%+v", r)
	must(got(a.SetSleepTime(o.ctx, "bob/sp", 600)).SleepSeconds == 600, "not set")
}

func (o *own) p42() {
	got(o.bob.Commits.Commit(o.ctx, commit.Request{
		Target: commit.Target{Type: wire.Space, Repo: "bob/sp"}, Summary: "app",
		Operations: []commit.Operation{add("app.py", []byte("print('hello')\n"))},
	}))
	url := got(o.bob.Repos.Duplicate(o.ctx, spaceRef("bob/sp"), repo.DuplicateSpec{To: "bob/sp2"}))
	must(url == o.sim.url+"/spaces/bob/sp2", "made %s", url)
	must(got(o.bob.Spaces.Info(o.ctx, "bob/sp2")).SDK == "gradio", "no such Space")
	o.sim.Advance(10 * time.Minute)
	must(len(got(o.bob.Spaces.Log(o.ctx, "bob/sp2", "build", 100))) > 0, "no lines")
}

func (o *own) p43() {
	a := o.bob.Collections
	c, existed, err := a.Create(o.ctx, collection.Draft{Namespace: "bob", Title: "Mine"})
	ok(err)
	thing := collection.Thing{Type: "model", ID: "bob/m2"}
	made := got(a.Add(o.ctx, c.Slug, thing, "", false))
	refused(last(a.Add(o.ctx, c.Slug, thing, "", false)), wire.Conflict)
	got(a.Add(o.ctx, c.Slug, thing, "", true))
	best := "best"
	must(got(a.Update(o.ctx, c.Slug, collection.Change{Description: &best})).Description == best, "not changed")
	must(!existed && len(made.Items) == 1 && len(got(a.Find(o.ctx, c.Slug)).Items) == 1, "%+v", made)
	ok(a.Delete(o.ctx, c.Slug))
	refused(last(a.Find(o.ctx, c.Slug)), wire.NotFound)
}

func (o *own) p44() {
	got(o.bob.Buckets.Create(o.ctx, "bob/store", false, false))
	b := got(o.bob.Buckets.Find(o.ctx, "bob/store"))
	must(b.ID == "bob/store" && b.Size == 0 && b.TotalFiles == 0, "%+v", b)
}

const limited429 = `"status":429,"headers":{"RateLimit":"\"api\";r=0;t=T","RateLimit-Policy":"\"fixed window\";\"api\";q=500;w=300"}`

func (o *own) p45() {
	o.sleeps = true
	defer func() { o.sleeps = false }()
	o.faults(`{"match":{"path":"/preupload/","count":2},"do":{"status":503}}`)
	got(o.write("bob/m2", add("r1.txt", []byte("1"))))
	_, w := o.waited()
	must(w > 0 && w < 5*time.Second, "waited %s", w)
	o.sim.here()
	o.faults(`{"match":{"path":"/preupload/","count":1},"do":{` + strings.Replace(limited429, "=T", "=2", 1) + `}}`)
	got(o.write("bob/m2", add("r2.txt", []byte("2"))))
	_, w = o.waited()
	must(w >= 2*time.Second && w < 6*time.Second, "waited %s", w)
	o.sim.here()
	before := o.head("bob/m2")
	o.faults(`{"match":{"path":"/commit/","count":1},"do":{"status":503}}`)
	made := got(o.write("bob/m2", add("r3.txt", []byte("3"))))
	news := all(o.bob.Repos.Commits(o.ctx, model("bob/m2"), "main", 2))
	must(news[0].ID == made.OID && news[1].ID == before, "not exactly one commit: %+v", news)
	o.sim.here()
	o.waited()
	o.sleeps = false // these waits are long: each client is told of the limit but once
	o.faults(`{"match":{"path":"^/api/models/bob/m2$","count":1},"do":{` + strings.Replace(limited429, "=T", "=55", 1) + `}}`)
	got(o.client(bob).Repos.Info(o.ctx, model("bob/m2"), repo.InfoOptions{}))
	w, _ = o.waited() // without the time going by the client waits again and again
	must(w >= 55*time.Second && w < 70*time.Second, "waited %s for a window of 55 s", w)
	o.faults(`{"match":{"path":"whoami"},"do":{` + strings.Replace(limited429, "=T", "=900", 1) + `}}`)
	refused(last(o.client(bob).Account.Whoami(o.ctx)), wire.RateLimited, "15m")
}

func (o *own) p46() {
	must(slices.Contains(o.paths("bob/m2"), "q.txt"), "not listed")
	must(got(o.bob.Repos.Raw(o.ctx, model("bob/m2"), "main", "q.txt")) == "q\n", "other content")
	part := got(o.bob.Repos.ReadRange(o.ctx, model("bob/m2"), "main", "big.bin", 100, 50))
	must(bytes.Equal(part.Data, o.big[100:150]) && part.Size == int64(len(o.big)), "other bytes")
}

func (o *own) p47() {
	ok(o.bob.Repos.Delete(o.ctx, model("bob/m2")))
	refused(o.bob.Repos.Delete(o.ctx, model("bob/m2")), wire.RepoNotFound)
	must(!got(o.bob.Repos.Exists(o.ctx, model("bob/m2"))), "still there")
}
