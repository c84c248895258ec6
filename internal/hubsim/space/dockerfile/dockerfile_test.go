package dockerfile_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-intern/ml-intern/internal/hubsim/space/dockerfile"
)

func TestParse(t *testing.T) {
	got := dockerfile.Parse(`# syntax=docker/dockerfile:1
FROM debian:slim
RUN apt-get update && \
    apt-get install -y git
ENV A=1 B="two words" PYTHONUNBUFFERED=1
ENV OLD the old form
WORKDIR /app
COPY --chown=user . .
COPY --chmod=755 toolserver /usr/local/bin/toolserver
COPY a.txt b.txt /etc/conf/
COPY --from=build /x /y
CMD python app.py
ENTRYPOINT ["tini", "--"]
CMD ["first"]
CMD ["/usr/local/bin/toolserver", "--port", "7860"]
`)
	want := dockerfile.File{
		Command:     []string{"tini", "--", "/usr/local/bin/toolserver", "--port", "7860"},
		Environment: map[string]string{"A": "1", "B": "two words", "PYTHONUNBUFFERED": "1", "OLD": "the old form"},
		Places: map[string]string{
			"/app": ".", "/usr/local/bin/toolserver": "toolserver", "/etc/conf/a.txt": "a.txt", "/etc/conf/b.txt": "b.txt",
		},
	}
	steps := got.Steps
	got.Steps = nil
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(steps) != 13 || steps[1] != "RUN apt-get update && apt-get install -y git" {
		t.Errorf("steps %q", steps)
	}
	if f := dockerfile.Parse("FROM x\nCMD python app.py\n"); f.Command != nil {
		t.Errorf("the shell's form is a command: %q", f.Command)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FROM x\nENV A=\"b c\" D='e\nCOPY [\"a\", \"/b/\"]\nCMD [\"x\"]\n\\\n")
	f.Add("FROM x\nCOPY ../../etc /app\nCOPY /.. /b/\n")
	f.Fuzz(func(t *testing.T, text string) {
		for target, source := range dockerfile.Parse(text).Places {
			if !filepath.IsLocal(source) {
				t.Errorf("%s is %s, outside of the build's directory", target, source)
			}
		}
	})
}
