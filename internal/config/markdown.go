package config

import (
	"fmt"
	"strings"

	"github.com/ml-intern/ml-intern/internal/config/environ"
	"github.com/ml-intern/ml-intern/internal/config/schema"
)

// Markdown is the reference of all settings, variables and base URLs, written
// from the tables.
func Markdown() string {
	var out strings.Builder
	out.WriteString(intro)
	out.WriteString("| Key | Values | Default | Effect | Flag, variable | In an untrusted folder |\n|---|---|---|---|---|---|\n")
	for _, k := range schema.Keys {
		row(&out, code(k.Name), cell(k.Allows()), code(k.Default), k.Effect, strings.Join(codes(k.Flag, k.Variable), ", "), mark(k.Open, "taken", "ignored"))
	}
	out.WriteString(flagsIntro)
	out.WriteString("| Flag | Effect |\n|---|---|\n")
	for _, f := range schema.Flags {
		row(&out, code(f.Name), f.Effect)
	}
	out.WriteString(variablesIntro)
	out.WriteString("| Variable | Default | Effect | Secret | Redirects |\n|---|---|---|---|---|\n")
	for _, v := range environ.Variables {
		row(&out, code(v.Name), v.Default, v.Effect, mark(v.Secret, "yes", ""), mark(v.Redirects || v.ProcessOnly, mark(v.ProcessOnly, "process only", "yes"), ""))
	}
	out.WriteString(urlsIntro)
	out.WriteString("| Variable | Also read | Default | Where it leads |\n|---|---|---|---|\n")
	for _, b := range environ.BaseURLs {
		also := codes(b.Aliases...)
		also = append(also, codes(b.Fallback)...)
		row(&out, code(b.Variable), strings.Join(also, ", "), code(b.Default), b.Effect)
	}
	return out.String()
}

func row(out *strings.Builder, cells ...string) {
	fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
}

// cell writes quoted words as code.
func cell(text string) string { return strings.ReplaceAll(text, `"`, "`") }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func codes(texts ...string) []string {
	var all []string
	for _, t := range texts {
		if t != "" {
			all = append(all, code(t))
		}
	}
	return all
}

func mark(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}

const intro = `# Configuration

<!-- Written from the tables in internal/config by "go test ./internal/config -update". Do not edit. -->

Settings are JSON objects, laid over each other; later ones win:

1. the built-in defaults in the table below;
2. your own file: the one named by ` + "`ML_INTERN_CLI_CONFIG`" + `, else ` + "`~/.config/ml-intern/cli_agent_config.json`" + `;
3. the project's ` + "`.ml-intern/config.json`" + ` at the root of the repository;
4. variables named in the table, and the Slack variables;
5. flags of the command line.

Objects are merged, everything else is replaced; only the permission rules of a project stand beside your own. A wrong value is an error that names file, key and what is allowed; an unknown key is a warning with the nearest known one. ` + "`ml-intern config show --sources`" + ` prints every value and where it came from, ` + "`ml-intern config set KEY VALUE`" + ` writes your own file.

In a folder you have not trusted (` + "`ml-intern trust`" + `) the project's file may set only the keys marked "taken".

## References

Every string may name environment variables.

| Written | Becomes |
|---|---|
| ` + "`${NAME}`" + ` | the variable; an error when it is not set |
| ` + "`${NAME:-text}`" + ` | the variable, or the text when it is not set; a variable that is set but empty stays empty |
| ` + "`$${`" + ` | a literal ` + "`${`" + ` |

A variable missing in one MCP server or one messaging destination disables only that one, with a warning.

## Places

| What | Linux, macOS | Windows | With ` + "`ML_INTERN_HOME`" + ` |
|---|---|---|---|
| settings, ` + "`.env`" + `, your own guidance | ` + "`~/.config/ml-intern`" + ` | ` + "`%APPDATA%\\ml-intern`" + ` | ` + "`config`" + ` in it |
| sessions, journals, ` + "`trust.json`" + `, ` + "`debug.log`" + ` | ` + "`~/.local/state/ml-intern`" + ` | ` + "`%LOCALAPPDATA%\\ml-intern\\state`" + ` | ` + "`state`" + ` in it |
| caches | ` + "`~/.cache/ml-intern`" + ` | ` + "`%LOCALAPPDATA%\\ml-intern\\cache`" + ` | ` + "`cache`" + ` in it |

` + "`XDG_CONFIG_HOME`, `XDG_STATE_HOME` and `XDG_CACHE_HOME`" + ` are honoured on Linux and macOS.

## Settings

`

const flagsIntro = `
## Flags of a run

Flags that set a key stand beside it above. These are about one run alone:

`

const variablesIntro = `
## Environment variables

A variable is looked for in the process, then in the ` + "`.env`" + ` of the working directory, of each parent up to the root of the repository, and of the folder of your settings; the first one wins. Lines are ` + "`KEY=value`" + `, with an optional ` + "`export`" + `; a comment needs a blank before its ` + "`#`" + `; single quotes are literal, double quotes know escapes and ` + "`${NAME}`" + `. Variables that redirect code or traffic (all base URLs, those marked below, ` + "`PATH`, `LD_*`, `*_URL`, `*_HOST`, `*_PROXY`" + ` and their like) count from a project's ` + "`.env`" + ` only in a trusted folder.

`

const urlsIntro = `
## Base URLs

Every place the program talks to can be moved. ` + "`ml-intern doctor`" + ` prints those that are.

`
