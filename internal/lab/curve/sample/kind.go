package sample

import (
	"slices"
	"strings"
	"sync"
)

// Kind says what a number is about.
type Kind string

// The kinds.
const (
	Loss         Kind = "loss"
	EvalLoss     Kind = "eval_loss"
	LearningRate Kind = "learning_rate"
	GradNorm     Kind = "grad_norm"
	Throughput   Kind = "throughput"
	Memory       Kind = "memory"
	Quality      Kind = "quality" // accuracy, F1, perplexity, reward and their like
	Other        Kind = "other"
)

// position says that a number tells how far a run is, and how surely.
type position int

const (
	noPosition position = iota
	atBatch             // counts within an epoch, or samples
	atBar               // of a progress bar
	atStep
	atGlobalStep
	atEpoch
)

// vocabulary are the words that names are made of.
type vocabulary struct {
	positions map[string]position
	eval      set
	loss      set
	// main words may stand beside loss without making it the loss of a part, or
	// a sum of a whole run, which are no curve of the loss.
	main set
	grad set
	rate set
	// sure qualities tell of training by themselves, the others only beside
	// other signs.
	sure, quality set
	memory, time  set
	// joined words belong to the word behind them: "learning rate".
	joined set
}

type set map[string]bool

func setOf(words string) set {
	out := set{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

var vocab = sync.OnceValue(func() *vocabulary {
	v := &vocabulary{
		positions: map[string]position{},
		eval:      setOf("eval evaluation val valid validation test dev heldout holdout"),
		loss:      setOf("loss nll ce xent"),
		main: setOf("train training lm step epoch avg average mean total batch running smoothed ema global cross entropy " +
			"sft dpo orpo mlm clm ntp model cur current"),
		grad: setOf("grad gradient gradients norm gnorm global total train training avg mean step l2"),
		rate: setOf("learning rate lr train training optim optimizer adam adamw sgd current cur step param group pg0 pg1"),
		sure: setOf("accuracy acc acc1 acc5 f1 bleu sacrebleu rouge rouge1 rouge2 rougel rougelsum ppl perplexity reward " +
			"miou wer cer auc auroc accuracies margins"),
		quality: setOf("top1 top5 precision recall map iou dice meteor chrf em match mcc spearman pearson r2 mae mse rmse " +
			"rewards score kl bpb bpc fid psnr ssim chosen rejected pass"),
		memory: setOf("memory mem vram memallocated maxmemallocated allocated reserved"),
		time:   setOf("time elapsed runtime seconds duration eta ms timestamp wall"),
		joined: setOf("loss train training val valid validation eval test dev lm average avg mean total running learning grad gradient " +
			"peak max gpu cuda global current best min lowest final macro micro balanced token consumed per"),
	}
	for p, names := range map[position]string{
		atStep:       "step steps iter iters iteration update num_updates it train/step training_step train_step",
		atGlobalStep: "global_step global_steps _step train/global_step trainer/global_step",
		atBatch:      "batch batch_idx micro_step",
		atEpoch:      "epoch ep train/epoch train_epoch training_epoch current_epoch cur_epoch",
	} {
		for name := range strings.FieldsSeq(names) {
			v.positions[name] = p
		}
	}
	return v
})

// normal is a name in lower case with _ for blanks and hyphens.
func normal(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == ' ' || r == '-':
			return '_'
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return r
	}, name)
	return strings.TrimRight(strings.TrimLeft(name, "./@%"), "./_@%")
}

// parts are the words of a normal name.
func parts(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("_/.@()", r) })
}

// Classify says what a number is about, by its name.
func Classify(name string) Kind {
	name = normal(name)
	all, v := parts(name), vocab()
	if len(all) == 0 {
		return Other
	}
	has := func(s set) bool { return slices.ContainsFunc(all, func(w string) bool { return s[w] }) }
	only := func(s set) bool { return !slices.ContainsFunc(all, func(w string) bool { return !s[w] }) }
	last, before := all[len(all)-1], ""
	if len(all) > 1 {
		before = all[len(all)-2]
	}
	switch {
	case perSecond(name, last):
		return Throughput
	case has(v.loss):
		return v.lossKind(all, has(v.eval))
	case only(v.rate) && (slices.Contains(all, "lr") || slices.Contains(all, "learning") && slices.Contains(all, "rate")):
		return LearningRate
	case only(v.grad) && (slices.Contains(all, "gnorm") || slices.Contains(all, "norm") && len(all) > 1):
		return GradNorm
	case has(v.memory):
		return Memory
	case v.sure[last], v.quality[last], v.sure[before], v.quality[before], v.sure[all[0]], all[0] == "rewards":
		return Quality
	}
	return Other
}

// lossKind tells the loss from the losses of parts and from sums of it.
func (v *vocabulary) lossKind(all []string, eval bool) Kind {
	for _, w := range all {
		if !v.loss[w] && !v.main[w] && !v.eval[w] {
			return Other
		}
	}
	if eval {
		return EvalLoss
	}
	return Loss
}

// perSecond reports whether a name is one of so many things a second.
func perSecond(name, last string) bool {
	switch last {
	case "tps", "tgs", "wps", "throughput":
		return true
	}
	return strings.Contains(name, "per_sec") || strings.Contains(name, "persec") ||
		strings.HasSuffix(name, "/s") || strings.HasSuffix(name, "/sec") || strings.HasSuffix(name, "/second")
}
