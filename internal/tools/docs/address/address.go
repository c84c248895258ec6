// Package address reads addresses of documentation pages, which come from a
// model or from a page and are not to be trusted: what it returns lies on the
// Hub or on Gradio's site and nowhere else. It makes no requests.
package address

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// The public origins of the two sites.
const (
	Hub    = "https://huggingface.co"
	Gradio = "https://www.gradio.app"
)

// maxLength is the most bytes of an address.
const maxLength = 2000

// Page is the address of a page.
type Page struct {
	// Site is Hub or Gradio.
	Site string
	// Area is the first part of the path: docs, learn, blog or papers on the
	// Hub; docs, guides or llms.txt on Gradio's site.
	Area string
	// Slug is the documentation set, Version and Language what the address
	// names ("" if it does not), Path the page below them. Outside docs and
	// learn, and on Gradio's site, only Path is set.
	Slug, Version, Language, Path string
	// Query and Anchor are what follows ? and #.
	Query, Anchor string
}

// ErrElsewhere says that an address lies on neither site.
var ErrElsewhere = errors.New("only documentation on huggingface.co (/docs, /learn, /blog, /papers) and www.gradio.app (/docs, /guides, /llms.txt) is read here; use web_fetch for other pages")

// hubAreas and gradioAreas are what can be read.
func hubAreas() []string    { return []string{"docs", "learn", "blog", "papers"} }
func gradioAreas() []string { return []string{"docs", "guides", "llms.txt"} }

// Parse reads an address: of a page on one of the sites, or a path without a
// host such as /docs/trl/sft_trainer or trl/sft_trainer, which is the Hub's.
// endpoint is the origin under which the Hub is reached; pages there are the
// Hub's, too.
func Parse(raw, endpoint string) (Page, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" || len(raw) > maxLength {
		return Page{}, fmt.Errorf("the address has %d bytes: it must have 1 to %d", len(raw), maxLength)
	}
	if strings.ContainsFunc(raw, func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || r == '\\' || r == unicode.ReplacementChar
	}) {
		return Page{}, fmt.Errorf("the address %q holds a character that addresses do not have", raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return Page{}, fmt.Errorf("%q is no address", raw)
	}
	p := Page{Query: u.RawQuery, Anchor: u.Fragment}
	if u.Scheme == "" && u.Host == "" {
		u, err = hostless(u, raw)
		if err != nil {
			return Page{}, err
		}
	}
	if p.Site, err = site(u, endpoint); err != nil {
		return Page{}, err
	}
	segments, err := split(u.EscapedPath())
	if err != nil {
		return Page{}, fmt.Errorf("the address %q: %w", raw, err)
	}
	areas := hubAreas()
	if p.Site == Gradio {
		areas = gradioAreas()
	}
	if len(segments) == 0 || !slices.Contains(areas, segments[0]) || p.Site == Hub && len(segments) == 1 {
		return Page{}, fmt.Errorf("the address %q: %w", raw, ErrElsewhere)
	}
	p.Area, segments = segments[0], segments[1:]
	var page []string // the last segment, where its ending says that it is a page
	if n := len(segments) - 1; n >= 0 {
		for _, ending := range [...]string{".md", ".html"} {
			if name, ok := strings.CutSuffix(segments[n], ending); ok && name != "" {
				segments, page = segments[:n], []string{name}
				break
			}
		}
	}
	if p.Site == Hub && (p.Area == "docs" || p.Area == "learn") {
		if len(segments) == 0 {
			segments, page = page, nil // docs/trl.md is the set's first page
		}
		p.Slug, segments = segments[0], segments[1:]
		p.Version, segments = take(segments, isVersion)
		p.Language, segments = take(segments, isLanguage)
		if len(segments)+len(page) == 0 {
			page = []string{"index"}
		}
	}
	p.Path = strings.Join(append(segments, page...), "/")
	return p, nil
}

// hostless reads a path as one of the Hub. Names of hosts without a scheme are
// taken for hosts.
func hostless(u *url.URL, raw string) (*url.URL, error) {
	path := strings.TrimLeft(u.EscapedPath(), "/")
	first, _, _ := strings.Cut(path, "/")
	switch host := strings.ToLower(first); {
	case slices.Contains(hubHosts(), host) || slices.Contains(gradioHosts(), host):
		return url.Parse("https://" + path)
	case u.Opaque != "" || first == "":
		return nil, fmt.Errorf("%q is no address", raw)
	case !slices.Contains(hubAreas(), first):
		path = "docs/" + path
	}
	return url.Parse(Hub + "/" + path)
}

func hubHosts() []string    { return []string{"huggingface.co", "hf.co", "www.huggingface.co"} }
func gradioHosts() []string { return []string{"www.gradio.app", "gradio.app"} }

// site says where an absolute address lies.
func site(u *url.URL, endpoint string) (string, error) {
	elsewhere := fmt.Errorf("the address %q: %w", u.Redacted(), ErrElsewhere)
	if u.User != nil || u.Opaque != "" {
		return "", elsewhere
	}
	if e, err := url.Parse(endpoint); err == nil && e.Host != "" && u.Scheme == e.Scheme && strings.EqualFold(u.Host, e.Host) {
		// The endpoint may lie below a path of its host.
		rest, ok := strings.CutPrefix(u.EscapedPath(), strings.TrimRight(e.EscapedPath(), "/"))
		if !ok || !strings.HasPrefix(rest, "/") {
			return "", elsewhere
		}
		below, err := url.Parse(rest)
		if err != nil {
			return "", elsewhere
		}
		u.Path, u.RawPath = below.Path, below.RawPath
		return Hub, nil
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":443")
	switch {
	case u.Scheme != "https":
	case slices.Contains(hubHosts(), host):
		return Hub, nil
	case slices.Contains(gradioHosts(), host):
		return Gradio, nil
	}
	return "", elsewhere
}

// split returns the segments of a path, decoded. One that would mean another
// path to somebody who decodes it once more, or climbs, is refused.
func split(path string) ([]string, error) {
	var out []string
	trimmed := strings.Trim(path, "/")
	if trimmed == "" {
		return nil, nil
	}
	for _, s := range strings.Split(trimmed, "/") {
		name, err := url.PathUnescape(s)
		if err != nil || name == "" || name == "." || name == ".." || strings.ContainsAny(name, `/\%?#`) || strings.ContainsFunc(name, unicode.IsControl) {
			return nil, fmt.Errorf("its part %q cannot be in the path of a page", s)
		}
		out = append(out, name)
	}
	return out, nil
}

func take(segments []string, is func(string) bool) (string, []string) {
	if len(segments) > 0 && is(segments[0]) {
		return segments[0], segments[1:]
	}
	return "", segments
}

// isVersion reports whether a segment names a release: main, v1.12.0, pr_123.
func isVersion(s string) bool {
	if s == "main" {
		return true
	}
	for _, prefix := range []string{"v", "pr_"} {
		if rest, ok := strings.CutPrefix(s, prefix); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
			return !strings.ContainsFunc(rest, func(r rune) bool { return r != '.' && !unicode.IsDigit(r) && !unicode.IsLetter(r) })
		}
	}
	return false
}

// languages are those that documentation is written in.
const languages = " ar bn de en es fa fr he hi id it ja ko my ne nl pl pt ro ru te th tr uk vi zh "

// isLanguage reports whether a segment names a language: en, pt-br, zh-TW.
func isLanguage(s string) bool {
	base, region, found := strings.Cut(s, "-")
	return strings.Contains(languages, " "+base+" ") && len(base) == 2 && (!found || len(region) == 2)
}

// URL is the page's public address for people, without the anchor.
func (p Page) URL() string { return p.address("") }

// Markdown is the public address of the page's Markdown form. Gradio's pages
// have none: it is the page itself.
func (p Page) Markdown() string {
	if p.Site == Gradio {
		return p.address("")
	}
	return p.address(".md")
}

func (p Page) address(ending string) string {
	var b strings.Builder
	b.WriteString(p.Site)
	for _, s := range []string{p.Area, p.Slug, p.Version, p.Language} {
		if s != "" {
			b.WriteString("/" + url.PathEscape(s))
		}
	}
	for s := range strings.SplitSeq(p.Path, "/") {
		if s != "" {
			b.WriteString("/" + url.PathEscape(s))
		}
	}
	b.WriteString(ending)
	if p.Query != "" {
		b.WriteString("?" + p.Query)
	}
	return b.String()
}

// Short is the page's address as people write it: trl/sft_trainer.
func (p Page) Short() string {
	if p.Slug == "" || p.Area != "docs" {
		return strings.TrimPrefix(p.URL(), p.Site)
	}
	return strings.TrimPrefix(p.URL(), Hub+"/docs/")
}

// Key is the path below the set, whatever the release; pages in languages
// other than English have their own.
func (p Page) Key() string {
	if p.Language == "" || p.Language == "en" {
		return p.Path
	}
	return p.Language + "/" + p.Path
}
