package mention

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/amount"
	"github.com/ml-intern/ml-intern/internal/domain/event"
)

const (
	mostPicture  = 5_000_000 // bytes of one picture
	mostPictures = 20        // of a message
)

// picture reports whether an ending is one of a picture.
func picture(ext string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif"}, ext)
}

// Types are the kinds of pictures that models take.
func types() []string { return []string{"image/png", "image/jpeg", "image/gif", "image/webp"} }

// picture adds a picture to the message.
func (w *reading) picture(name, path string, info fs.FileInfo) {
	if info.Size() > mostPicture {
		w.note("@%s was not sent: the picture has %s, %s may be sent", name, amount.Bytes(info.Size()), amount.Bytes(int64(mostPicture)))
		return
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		w.note("@%s was not read: %v", name, cause(err))
		return
	}
	kind := http.DetectContentType(raw)
	switch takes, known := w.o.Pictures(w.ctx); {
	case !slices.Contains(types(), kind):
		w.note("@%s was not sent: models take PNG, JPEG, GIF and WebP", name)
		return
	case known && !takes:
		w.note("@%s was not sent: the model takes no pictures (/model chooses another)", name)
		return
	case len(w.out.Images) == mostPictures:
		w.note("@%s was not sent: a message takes %d pictures", name, mostPictures)
		return
	}
	w.out.Images = append(w.out.Images, event.Image{MediaType: kind, Data: base64.StdEncoding.EncodeToString(raw)})
	fmt.Fprintf(&w.body, "\n@%s is picture %d of this message (%s, %s).\n", line(name), len(w.out.Images), kind, amount.Bytes(int64(len(raw))))
	w.note("sent @%s: picture, %s", name, amount.Bytes(int64(len(raw))))
}
