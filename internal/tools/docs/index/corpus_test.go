package index_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ml-intern/ml-intern/internal/tools/docs/index"
	"github.com/ml-intern/ml-intern/internal/tools/docs/manifest"
)

// written are the pages of testdata, which people wrote.
func written(t testing.TB) []index.Page {
	t.Helper()
	data, err := os.ReadFile("testdata/pages.txt")
	if err != nil {
		t.Fatal(err)
	}
	var pages []index.Page
	for _, w := range manifest.Whole(string(data)) {
		pages = append(pages, index.Page{
			Slug: w.Address.Slug, Path: w.Address.Key(), Version: w.Address.Version, URL: w.URL, Title: w.Title, Text: w.Text,
			Origin: index.Origin{URL: w.URL, SHA256: "0", FetchedAt: time.Unix(1_700_000_000, 0)},
		})
	}
	if len(pages) != 72 {
		t.Fatalf("%d pages were written", len(pages))
	}
	return pages
}

// sentences are what reference pages of models, pipelines and metrics say over
// and over; %s is a name, %d a number.
var sentences = strings.Split(strings.TrimSpace(`
The %s model was proposed as an encoder with %d layers and a hidden size of %d.
It was pretrained on a large corpus of text and can be fine-tuned for downstream tasks with little data.
The abstract of the paper reports gains of %d points over earlier models on several benchmarks.
%sConfig stores the configuration of a model and defines its architecture.
Instantiating a configuration with the defaults gives one similar to that of the base checkpoint.
vocab_size is the number of different tokens that the input can have, %d by default.
num_attention_heads is the number of heads in each layer of the encoder.
hidden_dropout_prob is the dropout probability for all fully connected layers.
max_position_embeddings is the longest sequence that this model might ever be used with.
The tokenizer %sTokenizer is based on byte pairs and treats spaces as parts of tokens.
Padding is done on the right, because positions are absolute.
The bare model returns raw hidden states without any head on top.
labels are used to compute the loss; indices of -100 are ignored.
attention_mask avoids attention on padding tokens; values are 0 or 1.
past_key_values holds keys and values of earlier steps and speeds up decoding.
output_attentions says whether the attention tensors of all layers are returned.
This model is a PyTorch module; use it as any other and refer to the documentation for general usage.
from_pretrained loads weights and save_pretrained writes them to a directory.
The processor %sProcessor wraps an image processor and a tokenizer into one.
Images are resized to %d pixels and normalised with mean and standard deviation.
Audio is sampled at %d Hz and turned into a spectrogram.
The pipeline generates images from a prompt; guidance_scale decides how closely it follows it.
num_inference_steps sets the number of denoising steps; more give better quality and are slower.
The scheduler %sScheduler adds noise during training and removes it at inference.
The VAE encodes images into latents and decodes them again.
Weights are available on the Hub under the organisation %s.
The original code can be found in the repository of the authors.
Flash attention is supported and brings a speed-up on recent GPUs.
The model can be loaded in half precision to save memory.
Training was done on %d GPUs for %d days with a learning rate that decays.
The metric %s compares predictions with references and returns a score between 0 and 1.
Higher is better; a score of 1 means that both are the same.
Limitations: the score does not consider meaning, only the overlap of words.
The dataset has %d rows and two columns, text and label.
The function returns a dictionary with the result of each step.
Set the seed to get the same result each time.
Contributions are welcome; open an issue or a pull request.
Call the method with a batch of inputs; it returns one output for each.
An example of usage is shown below.
See the list of checkpoints for sizes from %d million to %d billion parameters.
The endpoint is created in the chosen region and scales to zero when idle.
The container exposes an HTTP server on a port and answers requests in JSON.
Environment variables configure the server: the model id, the number of shards and the token.
Deploy the model with one click, then send requests with a client.
`), "\n")

// invented are pages made around the written ones by a program, always the
// same.
func invented(n int) []index.Page {
	r := rand.New(rand.NewPCG(7, 11))
	syllables := strings.Fields("al be cor dis el fo gra hy in jo ka lu mer nor op pra qui ro sen ter ul vis wa xi yo zen")
	name := func() string {
		s := ""
		for range 2 + r.IntN(2) {
			s += syllables[r.IntN(len(syllables))]
		}
		return strings.ToUpper(s[:1]) + s[1:]
	}
	slugs := []string{"transformers", "diffusers", "evaluate", "inference-endpoints", "trl", "datasets", "hub", "peft", "accelerate"}
	var pages []index.Page
	for i := range n {
		topic := name()
		var b strings.Builder
		fmt.Fprintf(&b, "# %s\n\n", topic)
		for j := range 36 {
			if j%9 == 4 {
				fmt.Fprintf(&b, "\n## %sModel%d[[x.%sModel%d]]\n\n", topic, j, topic, j)
			}
			s := sentences[r.IntN(len(sentences))]
			var args []any
			for k := 0; k+1 < len(s); k++ {
				switch s[k : k+2] {
				case "%s":
					args = append(args, topic)
				case "%d":
					args = append(args, 1+r.IntN(2000))
				}
			}
			b.WriteString(fmt.Sprintf(s, args...) + "\n")
		}
		slug := slugs[i%len(slugs)]
		path := fmt.Sprintf("reference/%s_%d", strings.ToLower(topic), i)
		pages = append(pages, index.Page{
			Slug: slug, Path: path, URL: "https://huggingface.co/docs/" + slug + "/" + path, Title: topic, Text: b.String(),
			Origin: index.Origin{URL: "https://huggingface.co/docs/" + slug, SHA256: "0", FetchedAt: time.Unix(1_700_000_000, 0)},
		})
	}
	return pages
}

// large is the whole set of 2,000 pages.
func large(t testing.TB) []index.Page {
	t.Helper()
	pages := written(t)
	return append(pages, invented(2000-len(pages))...)
}

type question struct{ page, text string }

func questions(t testing.TB) []question {
	t.Helper()
	data, err := os.ReadFile("testdata/questions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []question
	for line := range strings.Lines(string(data)) {
		page, text, ok := strings.Cut(strings.TrimSpace(line), " | ")
		if !ok {
			t.Fatalf("%q", line)
		}
		out = append(out, question{page, text})
	}
	return out
}
