package schema

// Flag is a flag of the command line that sets no key: it is about one run.
type Flag struct {
	Name   string // with its dashes and what it takes
	Effect string
}

// Flags are the flags of a run that set no key, in the order of --help. The
// command line is tested against this table and the flags of Keys.
var Flags = []Flag{
	{"--no-stream", "whole messages instead of text as it arrives"},
	{"--timeout TIME", "end the run after this time, exit code 124"},
	{"--dangerously-skip-permissions", "`permissions.mode` yolo"},
	{"--print, -p PROMPT", "the prompt, when it could be taken for a command"},
	{"--input-format FORMAT", "`text`, or `stream-json`: messages, approvals and more, one a line ([editors.md](editors.md))"},
	{"--output-format FORMAT", "`text`, `json` (one result object) or `stream-json` (one event a line)"},
	{"--output-last-message, -o FILE", "also write the final message to a file"},
	{"--output-schema FILE", "a JSON schema that the final message must fit; one repair is tried"},
	{"--continue, -c", "go on with the newest session of this directory"},
	{"--resume, -r ID", "go on with a session: id, prefix, number or path"},
	{"--fork", "with `--continue` or `--resume`: go on in a copy"},
	{"--session-id UUID", "id of the new session"},
	{"--simulate[=SCENARIO]", "try it on a simulated Hub: `calm`, `no-credits`, `rate-limited`, `job-oom`, `log-cut` or `flaky-storage`; nothing but calls to a chosen remote model leaves the machine"},
	{"--image FILE", "show this picture along with the prompt; repeatable"},
	{"--detach", "work in the background, apart from the terminal: `ps`, `attach`, `tail` and `stop` reach it"},
	{"--cwd DIR", "work in this directory"},
	{"--trust", "trust this folder's configuration and `.env` for this run"},
	{"--quiet, -q", "print only the last message"},
	{"--verbose", "print tool outputs on standard error"},
	{"--plain", "converse line by line, without drawing anything anew"},
	{"--screen-reader", "converse in plain words for a screen reader"},
	{"--ascii", "draw with ASCII characters only"},
	{"--no-color", "use no colours; so does `NO_COLOR`"},
}
