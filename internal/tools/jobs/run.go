package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/job"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/tool"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/delivery"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/request"
	"github.com/ml-intern/ml-intern/internal/tools/jobs/secret"
)

func callKey(env tool.Env) string { return request.Key(env.SessionID(), env.CallID()) }

// intent is what finding a job again needs.
type intent struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
}

// Intent names the job that a call will start.
func (t *Tool) Intent(_ context.Context, env tool.Env, args json.RawMessage) (json.RawMessage, error) {
	var p request.Params
	if err := tool.Decode(args, &p); err != nil {
		return nil, err
	}
	return json.Marshal(intent{Namespace: p.Namespace, Key: callKey(env)})
}

// Recover finds the job of an earlier run of the program and goes on following
// it.
func (t *Tool) Recover(ctx context.Context, env tool.Env, args, saved json.RawMessage) (tool.Outcome, tool.Result, error) {
	var p request.Params
	if err := tool.Decode(args, &p); err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	var in intent
	if err := json.Unmarshal(saved, &in); err != nil || in.Key == "" {
		return tool.Unknown, tool.Result{}, fmt.Errorf("the intent of the call cannot be read: %q", saved)
	}
	if in.Namespace == "" {
		ns, err := t.opts.Namespace(ctx, p.Namespace)
		if err != nil {
			return tool.Unknown, tool.Result{}, err
		}
		in.Namespace = ns
	}
	p.Namespace = in.Namespace
	j, found, err := t.opts.Jobs.Lookup(ctx, in.Namespace, request.LabelCall, in.Key)
	if err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	if !found {
		return tool.NotHappened, tool.Result{}, nil
	}
	r, err := t.follow(ctx, env, p, j, env.Abandoned())
	if err != nil {
		return tool.Unknown, tool.Result{}, err
	}
	return tool.Happened, r, nil
}

// run submits a job and follows it to its end.
func (t *Tool) run(ctx context.Context, env tool.Env, p request.Params) (tool.Result, error) {
	spec, err := t.prepare(ctx, env, p)
	if err != nil {
		return tool.Result{}, err
	}
	j, err := t.submit(ctx, p.Namespace, spec)
	if errors.Is(err, wire.Payment) {
		return t.unpaid(env, p, err), nil
	}
	if err != nil {
		return tool.Result{}, err
	}
	if t.paidAgain(p.Namespace) {
		env.Emit(event.CreditsTopUp{Namespace: p.Namespace})
	}
	env.Emit(event.JobSubmit{
		JobID: j.ID, JobURL: j.URL(t.opts.Jobs.Endpoint()), Flavor: spec.Flavor, Timeout: p.Timeout, JobType: p.Kind(),
		Image: spec.DockerImage + spec.SpaceID, Namespace: p.Namespace,
		PushToHub: pushes(p.Script + " " + strings.Join(p.Command, " ")),
	})
	return t.follow(ctx, env, p, j, false)
}

// pushes reports whether what a job runs puts its result on the Hub: it names a model
// for that, or asks to push and does not set that to false.
func pushes(code string) bool {
	if strings.Contains(code, "hub_model_id") {
		return true
	}
	const word = "push_to_hub"
	for {
		_, rest, found := strings.Cut(code, word)
		if !found {
			return false
		}
		value := strings.ToLower(strings.TrimLeft(rest[:min(len(rest), 16)], " ='\":"))
		if !strings.HasPrefix(value, "false") {
			return true
		}
		code = rest
	}
}

// prepare makes the job of a call ready: its dashboard, its files and its
// specification.
func (t *Tool) prepare(ctx context.Context, env tool.Env, p request.Params) (job.Spec, error) {
	if p.TrackioSpaceID != "" && t.opts.Trackio != nil {
		if err := t.opts.Trackio(ctx, p.TrackioSpaceID, p.TrackioProject, env.Log); err != nil {
			if ctx.Err() != nil {
				return job.Spec{}, ctx.Err()
			}
			env.Log("the Trackio dashboard is not ready: " + err.Error())
		}
	}
	t.warnOfToken(env)
	return t.specify(ctx, env.SessionID(), callKey(env), p)
}

// specify is the job that the arguments mean.
func (t *Tool) specify(ctx context.Context, session, key string, p request.Params) (job.Spec, error) {
	limit, err := request.Duration("timeout", p.Timeout, request.DefaultTimeout)
	if err != nil {
		return job.Spec{}, err
	}
	spec := job.Spec{
		Command: p.Command, Arguments: []string{}, Flavor: p.FlavorName(), TimeoutSeconds: int64(limit / time.Second),
		Environment: request.Environment(), Volumes: p.Volumes, ResourceGroupID: p.ResourceGroupID,
	}
	spec.DockerImage, spec.SpaceID = request.Image(p)
	if len(p.Expose) > 0 {
		spec.Expose = &job.Expose{Ports: p.Expose}
	}
	if p.SSH {
		spec.SSH = &job.SSH{Enabled: true}
	}
	maps.Copy(spec.Environment, p.Env)
	if p.TrackioSpaceID != "" {
		spec.Environment["TRACKIO_SPACE_ID"] = p.TrackioSpaceID
		if p.TrackioProject != "" {
			spec.Environment["TRACKIO_PROJECT"] = p.TrackioProject
		}
	}
	if spec.Secrets, err = t.secrets().Values(p); err != nil {
		return job.Spec{}, err
	}
	if p.Script != "" {
		if err := t.deliver(ctx, session, key, p, &spec); err != nil {
			return job.Spec{}, err
		}
	}
	spec.Labels = request.Labels(p, session, key)
	return spec, nil
}

// secrets keeps the secrets of jobs.
func (t *Tool) secrets() secret.Keeper {
	return secret.Keeper{Token: t.opts.Token, Find: t.opts.Secret, Shown: t.opts.HasSecret, Hold: t.opts.Hold}
}

func (t *Tool) warnOfToken(env tool.Env) {
	if t.opts.Token() == "" || t.opts.TokenBroad == nil || !t.opts.TokenBroad() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.warned {
		t.warned = true
		env.Log("note: jobs get a token that may write everywhere; ML_INTERN_JOB_TOKEN with a fine-grained token limits what they can do")
	}
}

// deliver puts the script into the job.
func (t *Tool) deliver(ctx context.Context, session, key string, p request.Params, spec *job.Spec) error {
	s := delivery.Script{
		Source: p.Script, Name: p.Name, Key: key, Dependencies: p.Dependencies, Python: p.Python, Args: p.ScriptArgs,
	}
	if delivery.Classify(p.Script) == delivery.URL {
		s.URL, s.Source = p.Script, ""
	}
	if t.opts.Hook != nil {
		s.Hook = t.opts.Hook(session)
	}
	plan, err := delivery.New(s)
	if err != nil {
		return err
	}
	spec.Command = plan.Command
	for k, v := range plan.Environment {
		if k == "PYTHONPATH" && spec.Environment[k] != "" {
			v += ":" + spec.Environment[k]
		}
		spec.Environment[k] = v
	}
	if plan.Files == nil {
		return nil
	}
	if t.opts.Ship == nil {
		return errors.New("the script is too long to be passed to a job")
	}
	volume, err := t.opts.Ship(ctx, p.Namespace, key, plan.Files)
	if err != nil {
		return fmt.Errorf("store the script for the job: %w", err)
	}
	volume.MountPath = delivery.Mount
	spec.Volumes = append(spec.Volumes, volume)
	return nil
}

// unpaid is the result of a job that the Hub wants money for.
func (t *Tool) unpaid(env tool.Env, p request.Params, err error) tool.Result {
	t.mu.Lock()
	t.blocked[p.Namespace] = true
	t.mu.Unlock()
	env.Emit(event.JobsBlocked{Namespace: p.Namespace})
	env.State(event.ToolStateChange{State: "billing_required", Namespace: p.Namespace})
	zero := int64(0)
	r := tool.Failed(fmt.Sprintf(
		"The Hub did not start the job: %s has no credits for Jobs (%v).\nNothing was spent. Ask the user to add credits at %s/settings/billing, then run the same call again, or to name another namespace that can pay.",
		p.Namespace, message(err), t.opts.Jobs.Endpoint()))
	r.ActualMicroUSD = &zero
	return r
}

// paidAgain reports, once, that a namespace without credits has some again.
func (t *Tool) paidAgain(ns string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.blocked[ns]
	delete(t.blocked, ns)
	return was
}

// message is the Hub's own text in an error, else the whole error.
func message(err error) string {
	var e *wire.Error
	if errors.As(err, &e) && e.Message != "" {
		return e.Message
	}
	return err.Error()
}
