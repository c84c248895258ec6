package complete

import (
	"github.com/ml-intern/ml-intern/internal/adapter/sessions"
	"github.com/ml-intern/ml-intern/internal/app/simulation"
	"github.com/ml-intern/ml-intern/internal/engine/policy"
)

// arguments are the sources of what commands take, by the command's name.
func arguments() map[string]source {
	return map[string]source{
		"attach": first(running), "stop": first(running), "tail": first(sessionIDs),
		"audit":      files,
		"config get": first(keys), "config set": at(keys, keyValues), "config unset": first(keys),
		"hooks test":      first(moments),
		"mcp remove":      first(servers),
		"mcp test":        servers,
		"mcp login":       first(servers),
		"mcp logout":      first(servers),
		"models":          nothing,
		"notify test":     destinations,
		"sessions show":   first(sessionIDs),
		"sessions rm":     sessionIDs,
		"sessions rename": first(sessionIDs),
		"sessions export": first(sessionIDs),
		"sessions import": files,
		"skills show":     first(skillNames),
		"skills check":    dirs,
		"tools show":      first(tools),
		"tools call":      tools,
		"traces delete":   sessionIDs,
		"traces push":     sessionIDs,
		"trust":           dirs,
	}
}

// values are the sources of what flags take, by the flag's name, or by the
// command and the flag.
func values() map[string]source {
	return map[string]source{
		"--model": models, "--approval-mode": modes, "--resume": sessionIDs, "--tokenizer": models,
		"--effort":        fixed("minimal", "low", "medium", "high", "xhigh", "max", "off"),
		"--input-format":  fixed("text", "stream-json\tone JSON object a line"),
		"--output-format": fixed("text", "json\tone result object", "stream-json\tone event a line"),
		"--simulate":      scenarios,
		"--fail-on":       fixed("blocker", "warning"),
		"--transport":     fixed("http", "sse"),

		"sessions export --format": fixed(sessions.Formats()...),
		"export sft --format":      fixed("sft", "chatml", "sharegpt"),
		"mcp add --trust":          fixed("none", "annotations", "all"),
		"hubsim --exec":            fixed("local", "scripted"),
		"hubsim --clock":           fixed("real", "scaled=", "manual"),
		"completion --shell":       nothing,
	}
}

func modeList() []string {
	var all []string
	for _, m := range policy.Modes() {
		all = append(all, string(m)+"\t"+m.Means())
	}
	return all
}

func scenarioList() []string {
	var all []string
	for _, s := range simulation.Scenarios() {
		all = append(all, s.Name+"\t"+s.Means)
	}
	return all
}
