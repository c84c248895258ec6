package transcript

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// Placeholders for images that are not sent.
const (
	imageDropped = "[image left out: the request was too large]"
	imageUnseen  = "[image left out: the model takes no images]"
)

// Part is one piece of content: text, or an image when URL is not empty.
type Part struct {
	Text string
	// URL is a data: URL or an https address.
	URL string
	// Detail is the resolution asked for, or empty.
	Detail string
}

// Data splits a data: URL into its media type and its base64 text; ok is false
// for other addresses and encodings.
func (p Part) Data() (mediaType, base64 string, ok bool) {
	rest, ok := strings.CutPrefix(p.URL, "data:")
	if !ok {
		return "", "", false
	}
	head, base64, ok := strings.Cut(rest, ",")
	if !ok {
		return "", "", false
	}
	head, ok = strings.CutSuffix(head, ";base64")
	mediaType, _, _ = strings.Cut(head, ";")
	return mediaType, base64, ok
}

// Parts returns the text and images of a message in order. Empty text and
// parts of any other kind (reasoning blocks of older logs) are left out.
func Parts(m llm.Message) []Part {
	if m.Parts == nil {
		if m.Text == "" {
			return nil
		}
		return []Part{{Text: m.Text}}
	}
	parts := make([]Part, 0, len(m.Parts))
	for _, raw := range m.Parts {
		if p, ok := parsePart(raw); ok {
			parts = append(parts, p)
		}
	}
	return parts
}

// Split returns the text of m, pieces joined by a newline, and its images.
func Split(m llm.Message) (text string, images []Part) {
	if m.Parts == nil {
		return m.Text, nil
	}
	var texts []string
	for _, p := range Parts(m) {
		if p.URL != "" {
			images = append(images, p)
			continue
		}
		texts = append(texts, p.Text)
	}
	return strings.Join(texts, "\n"), images
}

func parsePart(raw json.RawMessage) (Part, bool) {
	var in struct {
		Type     string          `json:"type"`
		Text     string          `json:"text"`
		ImageURL json.RawMessage `json:"image_url"`
		Source   struct {
			Type      string `json:"type"`
			MediaType string `json:"media_type"`
			Data      string `json:"data"`
			URL       string `json:"url"`
		} `json:"source"`
	}
	if json.Unmarshal(raw, &in) != nil {
		return Part{}, false
	}
	switch in.Type {
	case "text", "input_text", "output_text", "":
		return Part{Text: in.Text}, in.Text != ""
	case "image_url", "input_image":
		p := imageURL(in.ImageURL)
		return p, p.sendable()
	case "image":
		p := Part{URL: in.Source.URL}
		if in.Source.Type == "base64" {
			p.URL = "data:" + in.Source.MediaType + ";base64," + in.Source.Data
		}
		return p, p.sendable()
	}
	return Part{}, false
}

// imageURL reads {"url","detail"} or a plain string.
func imageURL(raw json.RawMessage) Part {
	var object struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(raw, &object) != nil {
		_ = json.Unmarshal(raw, &object.URL) // neither shape leaves it empty
	}
	return Part{URL: object.URL, Detail: object.Detail}
}

func (p Part) sendable() bool {
	return strings.HasPrefix(p.URL, "data:") || strings.HasPrefix(p.URL, "https://")
}

// replaceImages puts a placeholder for the images of m and reports whether
// there were any. The parts are copied.
func replaceImages(m *llm.Message, placeholder string) bool {
	var changed []json.RawMessage
	for k, raw := range m.Parts {
		if p, ok := parsePart(raw); ok && p.URL != "" {
			if changed == nil {
				changed = slices.Clone(m.Parts)
			}
			changed[k] = append(AppendString([]byte(`{"type":"text","text":`), placeholder), '}')
		}
	}
	if changed != nil {
		m.Parts = changed
	}
	return changed != nil
}
