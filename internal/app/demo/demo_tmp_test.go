package demo

import (
	"os"
	"testing"
)

func TestTmp(t *testing.T) {
	os.MkdirAll("/tmp/d/data", 0o755)
	os.WriteFile("/tmp/d/data/messages.csv", messages(), 0o644)
}
