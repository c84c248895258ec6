package evidence

import (
	"net/url"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/event"
)

// forms are the normal forms that an entry stands behind: its own address's,
// those of the repository a file was read from, and those of the object it
// names where its address is one of an API.
func forms(e event.Evidence) []string {
	var out []string
	if e.URL != "" {
		out = append(out, enclosing(form(e.URL))...)
	}
	if id, ok := paper(e.Object); ok && !strings.Contains(e.Operation, "search") && e.Tool != "web_search" {
		out = append(out, id)
	}
	if object := strings.Trim(e.Object, "/"); strings.Count(object, "/") == 1 && !strings.ContainsAny(object, " ?:") {
		switch {
		case strings.HasPrefix(e.Tool, "hf_inspect_dataset"), strings.HasPrefix(e.Tool, "hf_dataset_"):
			out = append(out, "huggingface.co/datasets/"+object)
		case e.Tool == "hf_model_inspect":
			out = append(out, "huggingface.co/"+object)
		case strings.HasPrefix(e.Tool, "github_"):
			out = append(out, "github.com/"+strings.ToLower(object))
		}
	}
	return out
}

// enclosing is a form and, for a file of a repository, the repository's own.
func enclosing(f string) []string {
	parts := strings.Split(f, "/")
	switch {
	case parts[0] == "github.com" && len(parts) > 3:
		return []string{f, strings.Join(parts[:3], "/")}
	case parts[0] == "huggingface.co" && len(parts) > 3:
		for i, p := range parts {
			if i >= 2 && (p == "blob" || p == "raw" || p == "tree") {
				return []string{f, strings.Join(parts[:i], "/")}
			}
		}
	}
	return []string{f}
}

// form is the normal form of a web address: what is the same page has the same
// form. Scheme, www., fragment, a closing slash and .md do not matter; a paper
// on arXiv is "arxiv:ID" wherever it is shown and in whatever version.
func form(address string) string {
	text := address
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return strings.ToLower(strings.TrimRight(address, "/"))
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	host = strings.TrimPrefix(host, "www.")
	if host == "hf.co" {
		host = "huggingface.co"
	}
	path := strings.TrimRight(u.Path, "/")
	if id, ok := paperAt(host, path, u.Query()); ok {
		return id
	}
	path = strings.TrimSuffix(strings.TrimSuffix(path, ".md"), "/index.html")
	query := u.RawQuery
	switch host {
	case "github.com", "raw.githubusercontent.com", "api.github.com":
		host, path, query = "github.com", githubPath(host, path), ""
	case "huggingface.co":
		path = hubPath(path)
	}
	if query != "" {
		path += "?" + query
	}
	return host + path
}

// paperAt recognises the addresses that show a paper of arXiv.
func paperAt(host, path string, query url.Values) (string, bool) {
	rest := ""
	for _, at := range []struct{ host, prefix string }{
		{"arxiv.org", "/abs/"},
		{"arxiv.org", "/pdf/"},
		{"arxiv.org", "/html/"},
		{"arxiv.org", "/src/"},
		{"arxiv.org", "/e-print/"},
		{"export.arxiv.org", "/abs/"},
		{"export.arxiv.org", "/pdf/"},
		{"browse.arxiv.org", "/html/"},
		{"ar5iv.labs.arxiv.org", "/html/"},
		{"ar5iv.labs.arxiv.org", "/abs/"},
		{"ar5iv.org", "/html/"},
		{"ar5iv.org", "/abs/"},
		{"huggingface.co", "/papers/"},
		{"huggingface.co", "/api/papers/"},
		{"alphaxiv.org", "/abs/"},
		{"doi.org", "/10.48550/"},
		{"dx.doi.org", "/10.48550/"},
		{"api.semanticscholar.org", "/graph/v1/paper/"},
		{"api.semanticscholar.org", "/recommendations/v1/papers/forpaper/"},
	} {
		if host == at.host && strings.HasPrefix(path, at.prefix) {
			rest = path[len(at.prefix):]
			break
		}
	}
	if host == "export.arxiv.org" && path == "/api/query" {
		rest = query.Get("id_list")
	}
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, ".md"), ".pdf")
	if host == "api.semanticscholar.org" { // …/ARXIV:2402.03300/citations
		colon := strings.IndexByte(rest, ':')
		if colon < 0 {
			return "", false
		}
		if id, n := paperPrefix(rest[colon+1:]); n > 0 {
			return id, true
		}
		return "", false
	}
	return paper(rest)
}

// githubPath is /owner/repo, or /owner/repo/path for a file: which revision of
// it is shown does not matter.
func githubPath(host, path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	at := -1 // where the path of the file begins
	switch {
	case host == "raw.githubusercontent.com" && len(parts) > 3:
		at = 3
	case host == "api.github.com" && len(parts) > 2 && parts[0] == "repos":
		parts = parts[1:]
		at = 2
		if len(parts) > 3 && parts[2] == "contents" {
			at = 3
		}
		if at == 2 {
			parts = parts[:2]
		}
	case host == "github.com" && len(parts) > 4 && (parts[2] == "blob" || parts[2] == "raw" || parts[2] == "tree"):
		at = 4
	}
	if len(parts) >= 2 {
		parts[0], parts[1] = strings.ToLower(parts[0]), strings.TrimSuffix(strings.ToLower(parts[1]), ".git")
	}
	if at >= 2 && len(parts) > at {
		parts = append(parts[:2:2], parts[at:]...)
	}
	return "/" + strings.Join(parts, "/")
}

// hubPath drops the version and language of a page of the documentation, the
// prefix of the API, and the difference between a file shown and one sent.
func hubPath(path string) string {
	parts := strings.Split(path, "/") // parts[0] is empty
	switch {
	case len(parts) > 3 && parts[1] == "docs":
		kept := parts[:3:3]
		for i, p := range parts[3:] {
			if i < 2 && (p == "main" || p == "en" || len(p) > 1 && p[0] == 'v' && p[1] >= '0' && p[1] <= '9') {
				continue
			}
			kept = append(kept, p)
		}
		parts = kept
	case len(parts) > 4 && parts[1] == "api" && (parts[2] == "datasets" || parts[2] == "spaces"):
		parts = append([]string{""}, parts[2:5]...)
	case len(parts) > 4 && parts[1] == "api" && parts[2] == "models":
		parts = append([]string{""}, parts[3:5]...)
	}
	for i, p := range parts {
		if p == "resolve" && i > 1 {
			parts[i] = "blob"
		}
	}
	return strings.Join(parts, "/")
}

// paper reads text that is an arXiv id and nothing else, with or without
// "arXiv:" in front and a version behind.
func paper(text string) (string, bool) {
	if len(text) > 6 && strings.EqualFold(text[:6], "arxiv:") || len(text) > 6 && strings.EqualFold(text[:6], "arxiv.") {
		text = text[6:]
	}
	id, n := paperPrefix(text)
	return id, n > 0 && n == len(text)
}

// paperPrefix reads an arXiv id at the beginning of text: its normal form and
// how many bytes it takes with its version, 0 for none.
func paperPrefix(text string) (id string, n int) {
	if n = newID(text); n == 0 {
		n = oldID(text)
	}
	if n == 0 {
		return "", 0
	}
	id = "arxiv:" + strings.ToLower(text[:n])
	if n < len(text) && text[n] == 'v' {
		v := n + 1
		for v < len(text) && v-n <= 3 && isDigit(text[v]) {
			v++
		}
		if v > n+1 {
			n = v
		}
	}
	if n < len(text) && (isDigit(text[n]) || isLetter(text[n])) {
		return "", 0
	}
	return id, n
}

// newID reads YYMM.NNNN (until 2014) or YYMM.NNNNN.
func newID(s string) int {
	if len(s) < 9 || s[4] != '.' || !allDigits(s[:4]) || !allDigits(s[5:9]) {
		return 0
	}
	month, year := int(s[2]-'0')*10+int(s[3]-'0'), int(s[0]-'0')*10+int(s[1]-'0')
	if month < 1 || month > 12 || year < 7 {
		return 0
	}
	if year < 15 {
		return 9
	}
	if len(s) < 10 || !isDigit(s[9]) {
		return 0
	}
	return 10
}

// oldID reads ids such as hep-th/9901001 and math.GT/0309136.
func oldID(s string) int {
	for _, archive := range [...]string{
		"astro-ph", "cond-mat", "cs", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "math", "nlin", "nucl-ex",
		"nucl-th", "physics", "q-bio", "quant-ph",
	} {
		if len(s) < len(archive)+8 || !strings.EqualFold(s[:len(archive)], archive) {
			continue
		}
		i := len(archive)
		if s[i] == '.' && isLetter(s[i+1]) && isLetter(s[i+2]) {
			i += 3
		}
		if s[i] == '/' && len(s) >= i+8 && allDigits(s[i+1:i+8]) {
			return i + 8
		}
	}
	return 0
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
