package webpage

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/sessions/foreign"
	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/domain/history"
	"github.com/ml-intern/ml-intern/internal/domain/llm"
	"github.com/ml-intern/ml-intern/internal/domain/usage"
)

// about writes what the session is, and what it cost.
func (p *page) about() {
	d := p.d
	messages, people := 0, 0
	for _, m := range d.Messages {
		if m.Role != llm.System {
			messages++
		}
		if history.FromPerson(m) {
			people++
		}
	}
	p.html("<dl>\n")
	for _, x := range []struct{ name, value string }{
		{"Session", d.SessionID},
		{"Held in", d.Program},
		{"Model", d.Model},
		{"Folder", d.Cwd},
		{"Branch", d.GitBranch},
		{"Started", d.StartTime},
		{"Messages", fmt.Sprintf("%s, %s of a person", amount.Grouped(messages), amount.Grouped(people))},
		{"Cost", cost(d.CostUSD, d.CostIncomplete, usage.Metrics(d.SessionID, d.Events))},
	} {
		if x.value != "" {
			p.html("<dt>", x.name, "</dt><dd>", line(x.value, 300), "</dd>\n")
		}
	}
	p.html("</dl>\n")
}

// cost says what is known of the money; what is not known is never nothing.
func cost(saved *float64, incomplete bool, sums usage.Summary) string {
	if sums.LLM.Calls == 0 && sums.AppTotalUSD == 0 {
		if saved == nil {
			return "unknown"
		}
		return dollars(*saved, incomplete)
	}
	all := dollars(sums.AppTotalUSD, sums.CostIncomplete)
	var parts []string
	for _, x := range []struct {
		name string
		usd  float64
	}{{"models", sums.App.InferenceUSD}, {"jobs", sums.App.JobsUSD}, {"sandboxes", sums.App.SandboxUSD}} {
		if x.usd > 0 && x.usd != sums.AppTotalUSD {
			parts = append(parts, x.name+" "+dollars(x.usd, false))
		}
	}
	if sums.App.JobsUSD > 0 || sums.App.SandboxUSD > 0 {
		parts = append(parts, "jobs and sandboxes are estimates")
	}
	if len(parts) > 0 {
		all += " (" + strings.Join(parts, ", ") + ")"
	}
	return all
}

func dollars(usd float64, incomplete bool) string {
	text := fmt.Sprintf("$%.2f", usd)
	if usd > 0 && usd < 0.005 {
		text = "less than $0.01"
	}
	if incomplete {
		text += " and more that is unknown"
	}
	return text
}

// plan writes the agent's plan as it was at the end.
func (p *page) plan() {
	items := p.d.Plan
	if !p.d.PlanKnown {
		items, _ = history.PlanIn(p.d.Messages)
	}
	if len(items) == 0 {
		return
	}
	p.html("<h2>Plan</h2>\n<ul class=\"plan\">\n")
	for _, item := range items {
		p.html("<li class=\"", state(item), "\">", mark(item), " ", line(item.Content, 500), "</li>\n")
	}
	p.html("</ul>\n")
}

// state is one of the three states of a plan's item.
func state(item event.PlanItem) string {
	switch item.Status {
	case "completed", "in_progress":
		return item.Status
	}
	return "pending"
}

func mark(item event.PlanItem) string {
	return map[string]string{"completed": "[x]", "in_progress": "[~]", "pending": "[ ]"}[state(item)]
}

// fewQuestions is up to how many questions need no list.
const fewQuestions = 3

// contents lists the questions of a long session.
func (p *page) contents() {
	var people []int
	for i, m := range p.d.Messages {
		if history.FromPerson(m) {
			people = append(people, i)
		}
	}
	if len(people) <= fewQuestions {
		return
	}
	p.html("<nav aria-label=\"Questions\">\n<h2>Questions</h2>\n<ol>\n")
	for _, i := range people {
		words := line(p.texts[i], 100)
		if words == "" {
			words = "(an image)"
		}
		p.html("<li><a href=\"#m", fmt.Sprint(i), "\">", words, "</a></li>\n")
	}
	p.html("</ol>\n</nav>\n")
}

// pictures are the addresses of the images that lie in a message.
func pictures(m llm.Message) []string {
	var urls []string
	for _, raw := range m.Parts {
		var in struct {
			Type     string          `json:"type"`
			ImageURL json.RawMessage `json:"image_url"`
			Source   struct {
				MediaType string `json:"media_type"`
				Data      string `json:"data"`
			} `json:"source"`
		}
		if json.Unmarshal(raw, &in) != nil {
			continue
		}
		url := ""
		switch in.Type {
		case "image_url", "input_image":
			var object struct {
				URL string `json:"url"`
			}
			if json.Unmarshal(in.ImageURL, &object) != nil {
				_ = json.Unmarshal(in.ImageURL, &object.URL) // neither shape leaves it empty
			}
			url = object.URL
		case "image":
			url = "data:" + in.Source.MediaType + ";base64," + in.Source.Data
		}
		if foreign.Sendable(url) {
			urls = append(urls, url)
		}
	}
	return urls
}
