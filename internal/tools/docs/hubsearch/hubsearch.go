// Package hubsearch reads the answers of the Hub's searches in the documentation:
// one finds sections by their meaning, the other by words. It asks nobody.
package hubsearch

import (
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/net/html"

	"github.com/ml-intern/ml-intern/internal/tools/docs/address"
	"github.com/ml-intern/ml-intern/internal/tools/docs/rank"
)

// maxHits bounds what is read of an answer.
const maxHits = 100

// Hit is a section that was found.
type Hit struct {
	// Title names the headings above it, URL leads to it, Text is from it:
	// without tags of HTML and without the markers of headings.
	Title, URL, Text string
}

// Sections reads an answer of the Hub's search.
func Sections(data []byte) ([]Hit, error) {
	var hits []struct {
		Text  string `json:"text"`
		URL   string `json:"source_page_url"`
		Title string `json:"source_page_title"`
		H1    string `json:"heading1"`
		H2    string `json:"heading2"`
		H3    string `json:"heading3"`
	}
	if err := json.Unmarshal(data, &hits); err != nil {
		return nil, fmt.Errorf("read an answer of the documentation search: %w", err)
	}
	var out []Hit
	for _, h := range hits[:min(len(hits), maxHits)] {
		out = append(out, hit(h.URL, h.Text, h.Title, h.H1, h.H2, h.H3))
	}
	return out, nil
}

// FullText reads an answer of the Hub's search for words.
func FullText(data []byte) ([]Hit, error) {
	var answer struct {
		Hits []struct {
			URL     string `json:"url"`
			Content string `json:"content"`
			L1      string `json:"hierarchy_lvl1"`
			L2      string `json:"hierarchy_lvl2"`
			L3      string `json:"hierarchy_lvl3"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("read an answer of the documentation search: %w", err)
	}
	var out []Hit
	for _, h := range answer.Hits[:min(len(answer.Hits), maxHits)] {
		out = append(out, hit(h.URL, h.Content, h.L1, h.L2, h.L3))
	}
	return out, nil
}

// hit makes a hit of a section: its address leads to it, its title names the
// headings above it.
func hit(link, text string, headings ...string) Hit {
	if strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "//") {
		link = address.Hub + link
	}
	anchor := ""
	if a, err := address.Parse(link, ""); err == nil {
		anchor = a.Anchor
		link = a.URL()
	}
	var trail []string
	for _, h := range headings {
		h = strings.Join(strings.Fields(plainText(h)), " ")
		name, marker, _ := strings.Cut(strings.TrimSuffix(h, "]]"), "[[")
		// The search names a section by heading and marker in one; the page has
		// the marker.
		if marker != "" && rank.Letters(name+marker) == rank.Letters(anchor) {
			anchor = marker
		}
		if name = strings.TrimSpace(name); name != "" && (len(trail) == 0 || trail[len(trail)-1] != name) {
			trail = append(trail, name)
		}
	}
	if anchor != "" {
		link += "#" + anchor
	}
	if len(trail) == 0 {
		trail = []string{link}
	}
	return Hit{Title: strings.Join(trail, " › "), URL: link, Text: withoutMarkers(plainText(text))}
}

// plainText is a text without the tags of HTML.
func plainText(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return s
	}
	var b strings.Builder
	for z := html.NewTokenizer(strings.NewReader(s)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return strings.TrimSpace(b.String())
		case html.TextToken:
			b.Write(z.Text())
		}
	}
}

// withoutMarkers drops the [[anchors]] of headings.
func withoutMarkers(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "[[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		inside, after, ok := strings.Cut(rest, "]]")
		if !ok || strings.ContainsAny(inside, " \n") {
			b.WriteString("[[")
			s = rest
			continue
		}
		s = after
	}
}
