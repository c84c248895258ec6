// Package inspect is the commands that show what there is: models and tools, which
// can also be called by themselves.
package inspect

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-intern/ml-intern/internal/adapter/provider/catalog"
	"github.com/ml-intern/ml-intern/internal/adapter/provider/modelid"
	"github.com/ml-intern/ml-intern/internal/app"
	"github.com/ml-intern/ml-intern/internal/app/command/console"
)

// catalogueWait bounds the wait for the router's list.
const catalogueWait = 10 * time.Second

// Models makes the command.
func Models(s *console.Streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "models [FILTER]",
		Short: "List suggested models and the router's catalogue",
		Long: `Suggested models, those without a key last, then what the Hugging Face router
serves now, with prices in US dollars per million tokens. Any model id works,
also one that is not listed: ollama/, vllm/, lm_studio/ and llamacpp/ ids name
models of a local server.`,
		Args: cobra.MaximumNArgs(1),
		RunE: console.Do(func(ctx context.Context, args []string) error {
			a, err := s.Open(ctx)
			if err != nil {
				return err
			}
			defer a.Close()
			list := listModels(ctx, a, strings.ToLower(strings.Join(args, "")))
			if asJSON {
				return s.PrintJSON(list)
			}
			return showModels(s, list)
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// modelList is what the command tells.
type modelList struct {
	Current   string      `json:"current"`
	Suggested []suggested `json:"suggested"`
	Catalogue []offered   `json:"catalogue"`
	// ReadAt is when the catalogue was read; it may be up to a day old.
	ReadAt time.Time `json:"catalogue_read_at,omitzero"`
	// Problem says why there is no catalogue.
	Problem string `json:"problem,omitempty"`
}

type suggested struct {
	ID       string `json:"id"`
	Label    string `json:"label"`
	Provider string `json:"provider"`
	// Needs is the variable to set first.
	Needs   string `json:"needs,omitempty"`
	Current bool   `json:"current"`
}

// offered is a model of the router at one provider. Unknown prices are null.
type offered struct {
	ID       string   `json:"id"`
	Provider string   `json:"provider"`
	Input    *float64 `json:"input_usd_per_mtok"`
	Output   *float64 `json:"output_usd_per_mtok"`
	Context  int      `json:"context_tokens,omitempty"`
	Tools    bool     `json:"tools"`
}

func listModels(ctx context.Context, a *app.App, filter string) modelList {
	list := modelList{Current: a.Model(), Suggested: []suggested{}, Catalogue: []offered{}}
	listed := false
	for _, m := range a.Models.Suggested(ctx) {
		current := m.ID == list.Current
		listed = listed || current
		if strings.Contains(strings.ToLower(m.ID+" "+m.Label), filter) {
			list.Suggested = append(list.Suggested, suggested{m.ID, m.Label, m.Provider, m.Needs, current})
		}
	}
	if !listed {
		list.Suggested = append([]suggested{ownModel(ctx, a, list.Current)}, list.Suggested...)
	}
	models, problem := catalogue(ctx, a)
	list.Problem = problem
	if info, err := os.Stat(a.Loaded.Places.RouterModels()); err == nil && len(models) > 0 {
		list.ReadAt = info.ModTime().UTC()
	}
	for _, m := range models {
		for _, o := range m.Live() {
			if strings.Contains(strings.ToLower(m.ID+":"+o.Provider), filter) {
				list.Catalogue = append(list.Catalogue, offered{m.ID, o.Provider, o.Input, o.Output, o.Context, o.Tools})
			}
		}
	}
	return list
}

// ownModel is the row of a configured model that is no suggestion.
func ownModel(ctx context.Context, a *app.App, id string) suggested {
	row := suggested{ID: id, Label: "configured", Current: true}
	if route, err := a.Models.Resolve(ctx, id); err == nil {
		row.Provider = route.Label
	} else if parsed, err := modelid.Parse(id); err == nil {
		row.Provider = modelid.Label(parsed.Prefix)
	}
	return row
}

// catalogue asks the router, and makes do with what is stored. The problem
// says why nothing newer is there.
func catalogue(ctx context.Context, a *app.App) ([]catalog.Model, string) {
	ctx, cancel := context.WithTimeout(ctx, catalogueWait)
	defer cancel()
	models, err := a.Models.Catalog().Models(ctx)
	if err != nil {
		return nil, "the router's list of models could not be read: " + err.Error()
	}
	return models, ""
}

func showModels(s *console.Streams, list modelList) error {
	table := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	for _, m := range list.Suggested {
		mark := " "
		if m.Current {
			mark = "*"
		}
		note := "via " + m.Provider
		if m.Needs != "" {
			note = "needs " + m.Needs
		}
		fmt.Fprintf(table, "%s %s\t%s\t%s\n", mark, m.ID, m.Label, note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(list.Catalogue) > 0 {
		at := ""
		if !list.ReadAt.IsZero() {
			at = " as of " + list.ReadAt.Local().Format("2006-01-02 15:04")
		}
		fmt.Fprintf(s.Out, "\nHugging Face router%s, USD per million tokens:\n", at)
		fmt.Fprintln(table, "  MODEL\tPROVIDER\tIN\tOUT\tCONTEXT\tTOOLS")
	}
	for _, o := range list.Catalogue {
		window, tools := "?", "no"
		if o.Context > 0 {
			window = fmt.Sprint(o.Context)
		}
		if o.Tools {
			tools = "yes"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", console.OneLine(o.ID), console.OneLine(o.Provider), dollars(o.Input), dollars(o.Output), window, tools)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if list.Problem != "" {
		fmt.Fprintln(s.Err, "warning: "+console.OneLine(list.Problem))
	}
	return nil
}

// dollars is a price, "?" when it is not known.
func dollars(price *float64) string {
	if price == nil {
		return "?"
	}
	return fmt.Sprintf("%.4g", *price)
}
