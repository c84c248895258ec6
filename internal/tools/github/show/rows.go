package show

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/ml-intern/ml-intern/internal/domain/amount"

	api "github.com/ml-intern/ml-intern/internal/adapter/github"
	"github.com/ml-intern/ml-intern/internal/platform/markup"
	"github.com/ml-intern/ml-intern/internal/tools/github/source"
)

// readCall and threadCall are arguments of github_read_file and github_search.
type (
	readCall struct {
		Repo string `json:"repo"`
		Path string `json:"path"`
	}
	threadCall struct {
		Issue string `json:"issue"`
	}
)

// Repo is the row of a repository.
func Repo(n int, r api.Repo) string {
	var b strings.Builder
	language := r.Language
	if language == "" {
		language = "N/A"
	}
	name := Line(r.FullName, 200)
	fmt.Fprintf(&b, "%d. **%s**\n   ⭐ %s stars | 🍴 %s forks | Language: %s\n", n, name, amount.Grouped(r.Stars), amount.Grouped(r.Forks), Line(language, 40))
	fmt.Fprintf(&b, "   %s\n", strings.Join(facts(r), " | "))
	if d := Line(r.Description, 100); d != "" {
		fmt.Fprintf(&b, "   %s\n", d)
	}
	fmt.Fprintf(&b, "   URL: %s/%s\n", api.Site, (&url.URL{Path: name}).EscapedPath())
	if len(r.Topics) > 0 {
		fmt.Fprintf(&b, "   Topics: %s\n", Line(strings.Join(r.Topics[:min(len(r.Topics), 5)], ", "), 200))
	}
	fmt.Fprintf(&b, "   Use in tools: {'repo': '%s'}\n\n", name)
	return b.String()
}

// facts are the licence, the age and the state of a repository.
func facts(r api.Repo) []string {
	var out []string
	if r.License.ID != "" && r.License.ID != "NOASSERTION" {
		out = append(out, "License: "+Line(r.License.ID, 40))
	} else {
		out = append(out, "License: not stated")
	}
	if !r.Pushed.IsZero() {
		out = append(out, "Last push: "+r.Pushed.UTC().Format(time.DateOnly))
	}
	if !r.Created.IsZero() {
		out = append(out, "Created: "+r.Created.UTC().Format(time.DateOnly))
	}
	if r.Archived {
		out = append(out, "archived")
	}
	if r.Fork {
		out = append(out, "fork")
	}
	return out
}

// About is what a repository is, above the list of its files.
func About(r api.Repo) string {
	text := fmt.Sprintf("⭐ %s stars | %s | Branch: %s\n", amount.Grouped(r.Stars), strings.Join(facts(r), " | "), Line(r.Branch, 100))
	if d := Line(r.Description, 300); d != "" {
		text = d + "\n" + text
	}
	return text + "\n"
}

// fragmentLimit is the most characters of a piece of code that is shown.
const fragmentLimit = 600

// Code is the row of a file that holds what was searched.
func Code(n int, hit api.CodeHit) string {
	var b strings.Builder
	repo, path := Line(hit.Repository.FullName, 200), Line(hit.Path, 400)
	fmt.Fprintf(&b, "%d. **%s** in %s\n", n, path, repo)
	for _, m := range hit.Matches[:min(len(hit.Matches), 2)] {
		text := strings.Trim(Block(m.Fragment, fragmentLimit), "\n")
		if text == "" {
			continue
		}
		f := markup.Fence(text)
		fmt.Fprintf(&b, "%s\n%s\n%s\n", f, text, f)
	}
	fmt.Fprintf(&b, "   To read: github_read_file %s\n\n", Call(readCall{repo, path}))
	return b.String()
}

// Commit is the row of a commit.
func Commit(n int, c api.Commit) string {
	title, _, _ := strings.Cut(c.Commit.Message, "\n")
	return fmt.Sprintf("%d. **%s**\n   %s %s | %s | %s\n   URL: %s\n\n", n, Line(title, 200), Line(c.Repository.FullName, 200),
		Line(c.SHA[:min(len(c.SHA), 7)], 7), Date(c.Commit.Author.Date), Line(c.Commit.Author.Name, 60), Line(c.Page, 300))
}

// Issue is the row of an issue or a pull request.
func Issue(n int, i api.Issue) string {
	var b strings.Builder
	repo := repoOf(i)
	fmt.Fprintf(&b, "%d. **%s** (%s#%d)\n   %s\n", n, Line(i.Title, 200), repo, i.Number, Status(i))
	if text := Line(i.Body, 300); text != "" {
		fmt.Fprintf(&b, "   %s\n", text)
	}
	fmt.Fprintf(&b, "   URL: %s\n   Thread: github_search %s\n\n", Line(i.Page, 300), Call(threadCall{fmt.Sprintf("%s#%d", repo, i.Number)}))
	return b.String()
}

// Status is what an issue is and how it stands.
func Status(i api.Issue) string {
	kind := "issue"
	state := i.State
	if i.Pull != nil {
		kind = "pull request"
		if i.Pull.Merged != nil {
			state = "merged"
		}
	}
	facts := []string{kind, Line(state, 20)}
	if len(i.Labels) > 0 {
		names := make([]string, len(i.Labels))
		for k, label := range i.Labels {
			names[k] = label.Name
		}
		facts = append(facts, "labels: "+Line(strings.Join(names, ", "), 150))
	}
	return strings.Join(append(facts, fmt.Sprintf("comments: %d", i.Comments), "opened "+Date(i.Created)), " | ")
}

// repoOf is the repository of an issue that a search has found.
func repoOf(i api.Issue) string {
	if place, is, err := api.ParseURL(i.Page); is && err == nil {
		return place.Repo
	}
	return Line(strings.TrimPrefix(i.Repository, api.API+"/repos/"), 200)
}

// Date is a day, or a question mark for none.
func Date(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format(time.DateOnly)
}

// Block is text from outside with its lines, of at most n characters.
func Block(s string, n int) string {
	s = source.Text([]byte(s))
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n]) + "…"
	}
	return s
}

// Login is who wrote something.
func Login(u api.User) string {
	if u.Login == "" {
		return "a deleted account"
	}
	return Line(u.Login, 60)
}
