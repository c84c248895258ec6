package shell

import (
	"fmt"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Script is what a shell command would do, as far as it can be told.
type Script struct {
	// Commands are all simple commands, wherever they stand: in lists, pipes,
	// substitutions, functions and behind wrappers such as env or xargs.
	Commands []Command
	// Redirects are the files its redirections read or write.
	Redirects []Redirect
	// Hidden are reasons why it may start commands that are not listed.
	Hidden []string
}

// Command is one simple command.
type Command struct {
	Words []Word
	// Own is false for a wrapper whose whole effect is in the commands it
	// starts, which are listed themselves.
	Own bool
	// Sets names variables set for it that could change what it does.
	Sets []string
	// In is where it may run.
	In Dirs
	// Input is the here-document it reads, nil for none.
	Input *Word
}

// Text returns the words, separated by [Sep].
func (c Command) Text() string {
	texts := make([]string, len(c.Words))
	for i, w := range c.Words {
		texts[i] = w.Text
	}
	return strings.Join(texts, string(Sep))
}

// Redirect is one redirection from or to a file.
type Redirect struct {
	Word   Word
	In     Dirs
	Writes bool
}

// maxDepth bounds how deep commands may stand inside each other as text.
const maxDepth = 12

// maxCommands bounds the work for one text: some of it grows with the square.
const maxCommands = 2000

// Read reads command as bash would, run in dir by a user whose home folder is
// home; both may be empty when unknown.
func Read(command, dir, home string) Script {
	r := &reader{script: &Script{}, home: home}
	if dir != "" {
		r.in = Dirs{dir}
	}
	if err := r.text(command, input{}); err != nil {
		r.hide("the command cannot be parsed as shell: %v", err)
	}
	return *r.script
}

// input is what a command reads on its standard input.
type input struct {
	piped   bool // from another command
	fetched bool // from a download
	// text is a here-document; nil for none.
	text *Word
}

// reader collects a script. Where a command may run only
// grows: it may run where it began.
type reader struct {
	script  *Script
	home    string
	in      Dirs
	homeSet bool
	depth   int
	inputs  map[*syntax.CallExpr]input
}

func (r *reader) hide(format string, args ...any) {
	r.script.Hidden = append(r.script.Hidden, fmt.Sprintf(format, args...))
}

// text reads a whole script; in is what its commands inherit.
func (r *reader) text(command string, in input) error {
	if strings.ContainsAny(command, marks) {
		return fmt.Errorf("it holds control characters")
	}
	if r.depth >= maxDepth {
		return fmt.Errorf("it is nested more than %d levels deep", maxDepth)
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(command), "")
	if err != nil {
		return err
	}
	if !short(file) {
		return fmt.Errorf("it has more than %d parts", maxCommands)
	}
	outer := r.inputs
	r.inputs = map[*syntax.CallExpr]input{}
	r.depth++
	r.survey(file, in)
	syntax.Walk(file, r.visit)
	r.depth--
	r.inputs = outer
	return nil
}

// short reports whether the script has few enough parts to look at each.
func short(file *syntax.File) bool {
	parts := 0
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.Stmt, *syntax.FuncDecl, *syntax.ArithmExp, *syntax.ParamExp:
			parts++
		}
		return parts <= maxCommands
	})
	return parts <= maxCommands
}

// nested reads a script found inside a command.
func (r *reader) nested(where, command string, in input) {
	if err := r.text(command, in); err != nil {
		r.hide("the command in %s cannot be parsed: %v", where, err)
	}
}

// survey looks at the whole tree first: who reads from a pipe, whether HOME
// changes, and whether directories change where order says nothing.
func (r *reader) survey(file *syntax.File, in input) {
	functions, loops, pipes, fetches := false, 0, false, false
	syntax.Walk(file, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.CallExpr:
			r.inputs[n] = in
			fetches = fetches || downloads(n)
		case *syntax.FuncDecl:
			functions = true
			loops++
		case *syntax.ForClause, *syntax.WhileClause:
			loops++
		case *syntax.BinaryCmd:
			pipes = pipes || n.Op == syntax.Pipe || n.Op == syntax.PipeAll
		case *syntax.Assign:
			r.homeSet = r.homeSet || n.Name == nil || slices.Contains([]string{"HOME", "PWD", "CDPATH"}, n.Name.Value)
		}
		return true
	})
	if functions && pipes { // a function's commands read what the function reads
		in.piped, in.fetched = true, in.fetched || fetches
		for call := range r.inputs {
			r.inputs[call] = in
		}
	}
	syntax.Walk(file, r.connect)
	if loops > 0 && movesAround(file) {
		r.in = nil
	}
}

// connect notes which commands read from a pipe.
func (r *reader) connect(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.BinaryCmd:
		if n.Op == syntax.Pipe || n.Op == syntax.PipeAll {
			r.feed(n.Y, anyCall(n.X, downloads))
		}
	case *syntax.ProcSubst:
		if n.Op == syntax.CmdOut {
			r.feed(n, true) // who writes into it stands elsewhere
		}
	case *syntax.CoprocClause:
		r.feed(n.Stmt, true)
	}
	return true
}

// feed marks all commands below n as reading from a pipe.
func (r *reader) feed(n syntax.Node, fetched bool) {
	anyCall(n, func(call *syntax.CallExpr) bool {
		in := r.inputs[call]
		in.piped, in.fetched = true, in.fetched || fetched
		r.inputs[call] = in
		return false
	})
}

// anyCall reports whether is holds for a command below n; it stops there.
func anyCall(n syntax.Node, is func(*syntax.CallExpr) bool) bool {
	found := false
	syntax.Walk(n, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.CallExpr); ok && !found {
			found = is(call)
		}
		return !found
	})
	return found
}

// downloads reports whether a word of call names a program that fetches.
func downloads(call *syntax.CallExpr) bool {
	return names(call, "curl", "wget", "fetch", "aria2c", "http", "https", "xh", "lynx")
}

// movesAround reports whether any command changes the directory.
func movesAround(n syntax.Node) bool {
	return anyCall(n, func(call *syntax.CallExpr) bool { return names(call, "cd", "pushd", "popd") })
}

func names(call *syntax.CallExpr, programs ...string) bool {
	r := &reader{}
	return slices.ContainsFunc(call.Args, func(arg *syntax.Word) bool {
		base, ok := r.word(arg).Base()
		return ok && slices.Contains(programs, base)
	})
}

// visit handles one node on the way down, in the order of the text.
func (r *reader) visit(n syntax.Node) bool {
	switch n := n.(type) {
	case *syntax.Stmt:
		r.statement(n)
	case *syntax.CallExpr:
		r.call(n)
	case *syntax.DeclClause:
		r.declare(n)
	case *syntax.FuncDecl:
		r.function(n)
	case *syntax.WordIter:
		r.setsForAll(n.Name.Value)
	case *syntax.ParamExp:
		if n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull) && n.Param != nil {
			r.setsForAll(n.Param.Value)
		}
		r.arithmetic(n.Index)
	case *syntax.TestClause, *syntax.ArithmCmd, *syntax.ArithmExp, *syntax.LetClause:
		r.arithmetic(n)
	case *syntax.Assign:
		r.arithmetic(n.Index)
	}
	return true
}

// arithmetic looks for commands that bash would find in quoted text when it
// computes: [[ 'a[$(cmd)]' -eq 0 ]] runs cmd.
func (r *reader) arithmetic(n syntax.Node) {
	if n == nil {
		return
	}
	syntax.Walk(n, func(n syntax.Node) bool {
		text := ""
		switch n := n.(type) {
		case *syntax.SglQuoted:
			text = n.Value
		case *syntax.Lit:
			text = n.Value
		}
		if substitutes(text) {
			r.hide("quoted text with a command substitution is computed with")
		}
		return true
	})
}

// substitutes reports whether text, read as shell, would start commands.
func substitutes(text string) bool {
	return strings.Contains(text, "$(") || strings.ContainsRune(text, '`') || strings.Contains(text, `\x24`)
}

// statement notes the redirections of a statement.
func (r *reader) statement(s *syntax.Stmt) {
	call, _ := s.Cmd.(*syntax.CallExpr)
	for _, redir := range s.Redirs {
		word := r.word(redir.Word)
		switch redir.Op {
		case syntax.Hdoc, syntax.DashHdoc:
			r.document(s, call, r.hereText(redir))
		case syntax.WordHdoc:
			r.document(s, call, word)
		case syntax.RdrIn:
			r.redirect(word, false)
		case syntax.DplIn:
		case syntax.DplOut:
			if strings.Trim(word.Text, "0123456789-") != "" { // >&file
				r.redirect(word, true)
			}
		default:
			r.redirect(word, true)
		}
	}
}

func (r *reader) redirect(w Word, writes bool) {
	r.script.Redirects = append(r.script.Redirects, Redirect{Word: w, In: r.in, Writes: writes})
}

// document gives the text of a here-document to the commands of s.
func (r *reader) document(s *syntax.Stmt, call *syntax.CallExpr, text Word) {
	switch {
	case call != nil:
		in := r.inputs[call]
		in.text = &text
		r.inputs[call] = in
	case s.Cmd != nil:
		r.feed(s.Cmd, false)
	}
}

// hereText undoes the quoting of a here-document: none when its delimiter is
// quoted, otherwise as in double quotes.
func (r *reader) hereText(redir *syntax.Redirect) Word {
	if redir.Hdoc == nil {
		return Word{}
	}
	delimiter := redir.Word.Lit()
	if delimiter == "" || strings.ContainsRune(delimiter, backslash) {
		var raw strings.Builder
		for _, part := range redir.Hdoc.Parts {
			if lit, ok := part.(*syntax.Lit); ok {
				raw.WriteString(lit.Value)
			} else {
				raw.WriteByte(Any)
			}
		}
		return literal(raw.String())
	}
	b := builder{homeSet: true}
	for _, part := range redir.Hdoc.Parts {
		b.part(part, true, false)
	}
	return literal(b.text.String())
}

// function notes a function that feeds itself, which fills the machine.
func (r *reader) function(f *syntax.FuncDecl) {
	if f.Name == nil || f.Body == nil {
		return
	}
	syntax.Walk(f.Body, func(n syntax.Node) bool {
		if pipe, ok := n.(*syntax.BinaryCmd); ok && (pipe.Op == syntax.Pipe || pipe.Op == syntax.PipeAll) {
			self := func(call *syntax.CallExpr) bool { return names(call, f.Name.Value) }
			if anyCall(pipe.X, self) && anyCall(pipe.Y, self) {
				r.hide("the function %s starts itself without end", f.Name.Value)
			}
		}
		return true
	})
}
