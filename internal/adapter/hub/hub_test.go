package hub_test

import (
	"net/http"
	"testing"

	"github.com/ml-intern/ml-intern/internal/adapter/hub"
)

func TestNewChecksOptions(t *testing.T) {
	for _, o := range []hub.Options{
		{Endpoint: "https://huggingface.co"},
		{HTTP: http.DefaultClient, Endpoint: "huggingface.co"},
		{HTTP: http.DefaultClient, Endpoint: "ftp://x"},
	} {
		if _, err := hub.New(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	c, err := hub.New(hub.Options{HTTP: http.DefaultClient, Endpoint: "https://hub.example/"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Endpoint() != "https://hub.example" {
		t.Errorf("endpoint %q", c.Endpoint())
	}
}
