package history

import (
	"bytes"
	"strings"

	"github.com/ml-intern/ml-intern/internal/hubsim/git"
)

// AttributesFile says which files are LFS files.
const AttributesFile = ".gitattributes"

// maxRegular is the size in bytes above which every file is an LFS file.
const maxRegular = 10 << 20

// lfsPatterns are the files that new repositories keep in LFS; mediaPatterns
// come with data sets.
const (
	lfsPatterns = "*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack " +
		"*.npy *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* " +
		"*.tar.* *.tar *.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents*"
	mediaPatterns = "*.lz4 *.mds *.pcm *.sam *.raw *.aac *.flac *.mp3 *.ogg *.wav *.bmp *.gif *.png *.tiff " +
		"*.jpg *.jpeg *.webp *.mp4 *.webm"
)

// Attributes is the .gitattributes file of a new repository.
func Attributes(dataset bool) string {
	patterns := lfsPatterns
	if dataset {
		patterns += " " + mediaPatterns
	}
	var b strings.Builder
	for p := range strings.FieldsSeq(patterns) {
		b.WriteString(p + " filter=lfs diff=lfs merge=lfs -text\n")
	}
	return b.String()
}

// IsLFS decides how a file goes up: an empty one never as LFS file; else the
// attributes say, or a NUL byte in the sample, or the size.
func IsLFS(rules git.Attributes, path string, size int64, sample []byte) bool {
	if size == 0 {
		return false
	}
	return rules.LFS(path) || bytes.IndexByte(sample, 0) >= 0 || size > maxRegular
}
