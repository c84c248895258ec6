package proc_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/platform/proc"
)

func TestEnviron(t *testing.T) {
	env := []string{
		"PATH=/bin", "HOME=/home/u", "OPENAI_API_KEY=sk-1", "myapikey=x", "AWS_ACCESS_KEY_ID=a", "Db_Passwd=p",
		"PGPASSWORD=p", "SSH_PRIVATE_KEY=k", "GOOGLE_APPLICATION_CREDENTIALS=/f", "ANTHROPIC_AUTH_TOKEN=t", "MY_SECRETS=s",
		"HF_TOKEN=hf_1", "HUGGING_FACE_HUB_TOKEN=hf_2", "HUGGINGFACE_HUB_TOKEN=hf_3", "SLACK_CHANNEL=c", "_ML_INTERN_X=1",
		"TOKENIZERS_PARALLELISM=false", "LANG=C", "AI_AGENT=other", "PROVIDER_THING=v", "EMPTY=", "A=b=c",
	}
	plain := []string{"PATH=/bin", "HOME=/home/u"}
	rest := []string{"TOKENIZERS_PARALLELISM=false", "LANG=C", "EMPTY=", "A=b=c", "AI_AGENT=ml-intern"}
	for name, c := range map[string]struct {
		rule proc.EnvRule
		also []string
	}{
		"nothing forwarded": {proc.EnvRule{}, nil},
		"Hub token":         {proc.EnvRule{ForwardHFToken: true}, env[11:14]},
		"allowed":           {proc.EnvRule{Allow: []string{"OPENAI_API_KEY", "SLACK_CHANNEL", "_ML_INTERN_X"}}, []string{env[2], env[14], env[15]}},
	} {
		t.Run(name, func(t *testing.T) {
			c.rule.Drop = []string{"PROVIDER_THING"}
			want := append(append(append([]string{}, plain...), c.also...), rest...)
			if d := cmp.Diff(want, proc.Environ(env, c.rule)); d != "" {
				t.Errorf("environment (-want +got):\n%s", d)
			}
		})
	}
}
