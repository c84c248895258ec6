package demo

import "github.com/ml-intern/ml-intern/internal/domain/llm"

// from is the blank for what a pattern finds in the result of a call.
func from(id, pattern string) string { return "{{tool:" + id + ":" + pattern + "}}" }

// mark is the mark of the source that a call has read.
func mark(id string) string { return "[" + from(id, `\[(S\d+)\] http`) + "]" }

// address is where that source lies.
func address(id string) string { return from(id, `\[S\d+\] (http\S+)`) }

func papers(id string, args map[string]any) call { return call{id, "hf_papers", args} }

// The patterns of what is quoted more than once.
const (
	paperID     = `\*\*arxiv_id:\*\* (\S+)`
	cleanScore  = `\| 0 % \| (\S+)`
	leakShare   = `\| (10 %) \|`
	leakScore   = `\| 10 % \| (\S+)`
	leak        = `BLOCKER leakage: (.+)`
	leakedTrain = `train (\d+) and test \d+ \(exact\)`
	leakedTest  = `train \d+ and test (\d+) \(exact\)`
	plantedRows = `\| train, test \| (\d+, \d+) \| exact`
	ownCopies   = `copies: (.+)`
	ownNull     = `- (\d+) rows? null`
)

// research is what the model says before it looks at its own data. What there
// is to read on the simulated Hub was invented for it, which the model says too.
func research() []step {
	return []step{
		{
			text: "This is a demo: my words are a script written beforehand (" + Model + "). The tools are real, and so is every " +
				"number I quote: it is measured on your machine, now.\n\nBefore I train I look up what spoils such results. The Hub " +
				"is a simulated one, inside this program: the paper and the pages I read there are short ones, invented for it, and so are the paper's numbers.",
			calls: []call{
				plan(0),
				papers("papers", map[string]any{"operation": "search", "query": "duplicate rows leaked into the test split", "limit": 3}),
				{"docs", "explore_hf_docs", map[string]any{"endpoint": "hub", "query": "model card evaluation results", "max_results": 3}},
			},
		},
		{
			text: "“" + from("papers", `## 1\. (.+)`) + "” is just about that. I read its result, and how a model's card has to " +
				"state one. How copies are found is a question of its own: a sub-agent reads that up meanwhile.",
			calls: []call{
				papers("paper", map[string]any{"operation": "read_paper", "arxiv_id": from("papers", paperID), "section": "3.1,4"}),
				{"card_page", "fetch_hf_docs", map[string]any{"url": from("docs", `URL: ([^\s#]+)`)}},
				{"method", "research", map[string]any{
					"task": "How are exact and near copies of texts found? Start from the paper " + from("papers", paperID) +
						" and its code, " + from("papers", `\*\*GitHub:\*\* (\S+)`) + ". Answer in one sentence, with the thresholds.",
				}},
			},
		},
		{
			text: "In the paper a model scores " + from("paper", cleanScore) + "; with " + from("paper", leakShare) + " of the test " +
				"rows among the training rows the same model scores " + from("paper", leakScore) + ", without being any better " +
				mark("paper") + ". The sub-agent found: " + from("method", `(?m)^In short: (.+)$`) + "\n\nWith the paper comes a data set " +
				"with planted faults. If the audit finds them there, I can believe what it says about ours.",
			calls: []call{
				{"planted", "hf_dataset_audit", map[string]any{"dataset": "acme/audit-mini"}},
				papers("answers", map[string]any{"operation": "read_paper", "arxiv_id": from("papers", paperID), "section": "A"}),
			},
		},
		{
			text: "The audit: " + from("planted", leak) + ". The exact one is row " + from("planted", leakedTrain) + " of train and row " +
				from("planted", leakedTest) + " of test, counted from zero " + mark("planted") + ". The paper's own list of what was " +
				"planted: " + from("answers", plantedRows) + " " + mark("answers") + ". Good. Now our messages: a look, and the same audit.",
			calls: []call{
				plan(1),
				{"look", "read", map[string]any{"path": "data/messages.csv", "limit": 8}},
				{"audit", "hf_dataset_audit", map[string]any{"dataset": "./data"}},
			},
		},
		{
			text: "There are " + from("audit", `of (\d+) rows`) + " messages, the biggest desk being " + from("audit", `\n\| ---.*\n\| (\w+)`) +
				". Copies: " + from("audit", ownCopies) + ". Without a text: " + from("audit", ownNull) + ". With one half of a pair in " +
				"training and the other held out, our result would be flattered too " + mark("paper") + ". So the training script drops " +
				"empty rows, copies and near copies before it splits, by the measure the sub-agent found.",
			calls: []call{plan(2), write("write_train", "train.py", firstTrainPy())},
		},
	}
}

// subAgent is what the sub-agent says.
func subAgent() []step {
	return []step{
		{kind: llm.KindResearch, calls: []call{
			papers("which", map[string]any{"operation": "search", "query": "near copies shingles Jaccard", "limit": 1}),
			{"examples", "github_find_examples", map[string]any{"repo": "acme/dataset-audit"}},
		}},
		{kind: llm.KindResearch, calls: []call{
			papers("measure", map[string]any{"operation": "read_paper", "arxiv_id": from("which", paperID), "section": "2"}),
			{"code", "github_read_file", map[string]any{"repo": "acme/dataset-audit", "path": "audit/copies.py"}},
		}},
		{
			kind: llm.KindResearch,
			text: "In short: copies are exact where the texts are equal but for case and blanks, and near where they share at least " +
				from("measure", `\\ge ?([\d.]+)`) + " of their groups of " + from("measure", `(\w+)-word shingles`) + " words " +
				mark("measure") + "; the code of its authors does the same " + mark("code") + ".\n\nThe code compares all pairs (`" +
				from("code", `itertools\.\w+`) + "`), which is enough for small files " + mark("code") + ".",
		},
	}
}

// notes is the file that tells what was read and what it says; report.py puts
// it into the report.
func notes() string {
	return "- " + mark("paper") + " “" + from("paper", `(?m)^# (.+)$`) + "”,\n  " + address("paper") + "\n" +
		"  With " + from("paper", leakShare) + " of the test rows among the training rows a score rises from " +
		from("paper", cleanScore) + " to " + from("paper", leakScore) + ".\n  That is why copies were looked for before the split.\n" +

		"- " + from("method", `- (\[S\d+\]) acme/dataset-audit/`) + " `" + from("method", `acme/dataset-audit/(\S+),`) +
		"` of the paper's authors,\n  " + from("method", `copies\.py, (http\S+)`) + "\n" +
		"  It finds copies and near copies, and `train.py` does it in the same way.\n" +

		"- " + mark("planted") + " The data set `" + from("planted", `# Audit of (\S+)`) + "`, audited,\n  " + address("planted") + "\n" +
		"  Found: " + from("planted", leak) + ".\n  Row " + from("planted", leakedTrain) + " of train is row " +
		from("planted", leakedTest) + " of test, counted from zero; the\n  paper's list of planted rows says " + from("answers", plantedRows) + " " + mark("answers") + ".\n" +

		"- " + mark("card_page") + " “" + from("card_page", `(?m)^# (.+)$`) + "”,\n  " + address("card_page") + "\n" +
		"  Results belong into the metadata of a model's card, as `model-index`; `card.md`\n  has them there.\n" +

		"- No mark, because it is our own: the same audit of `data`.\n  Found: " + from("audit", ownCopies) + "; " +
		from("audit", ownNull) + " rows without a text.\n"
}
