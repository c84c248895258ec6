package highlight

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/ui/terminal/theme"
)

// find returns what is known of the language that the info string of a fence
// names: "python", "{.python}", "python title=x", "train.py". Nil for nothing.
func find(info string) *language {
	name := strings.ToLower(strings.TrimLeft(info, " {."))
	if i := strings.IndexAny(name, " ,:;{}\t"); i >= 0 {
		name = name[:i]
	}
	name = name[strings.LastIndexAny(name, "./")+1:]
	if name == "" {
		return nil
	}
	for i := range languages {
		if in(languages[i].names, name) {
			return &languages[i]
		}
	}
	return nil
}

// Strings as most languages have them, and the comments of C.
var (
	double  = delimiter{open: `"`, close: `"`, role: theme.String, escape: '\\'}
	single  = delimiter{open: `'`, close: `'`, role: theme.String, escape: '\\'}
	letter  = delimiter{open: `'`, close: `'`, role: theme.String, escape: '\\', short: true}
	triple  = delimiter{open: `"""`, close: `"""`, role: theme.String, escape: '\\', lines: true}
	ticks   = delimiter{open: "`", close: "`", role: theme.String, escape: '\\', lines: true}
	blockC  = delimiter{open: "/*", close: "*/", role: theme.Comment, lines: true}
	markupC = delimiter{open: "<!--", close: "-->", role: theme.Comment, lines: true}
	// Strings of shells go over lines.
	doubleSh = delimiter{open: `"`, close: `"`, role: theme.String, escape: '\\', lines: true}
	singleSh = delimiter{open: `'`, close: `'`, role: theme.String, lines: true}
)

const (
	shellWords = " if then elif else fi for in do done while until case esac function select return exit break continue " +
		"local export readonly declare unset source set shift trap exec eval "
	cWords = " if else for while do switch case default break continue return goto sizeof typedef struct union enum static " +
		"const extern inline volatile register void int long short char float double unsigned signed bool size_t auto " +
		"class public private protected virtual override final new delete template typename namespace using try catch throw " +
		"constexpr decltype noexcept operator friend explicit mutable static_cast dynamic_cast const_cast reinterpret_cast " +
		"concept requires co_await co_return co_yield __global__ __device__ __host__ __shared__ restrict "
	scriptWords = " if else for while do switch case default break continue return function class extends new delete typeof " +
		"instanceof in of var let const import export from as async await yield try catch finally throw static get set " +
		"void with debugger interface type enum implements namespace declare readonly private public protected abstract " +
		"keyof satisfies string number boolean any unknown never "
	sqlWords = " select from where group by having order limit offset insert into values update set delete create table view " +
		"index drop alter add column primary key foreign references unique not and or in is like ilike between exists case " +
		"when then else end as on join left right inner outer full cross using union all distinct with recursive over " +
		"partition window asc desc begin commit rollback transaction explain analyze returning default check constraint if " +
		"replace temporary temp cast interval int integer bigint text varchar boolean real double precision numeric date " +
		"timestamp filter qualify pivot unnest copy "
)

// languages is the table.
var languages = [...]language{
	{
		names: " python py python3 py3 pycon pyi ipython ",
		keywords: " and as assert async await break class continue def del elif else except finally for from global if import in " +
			"is lambda match case nonlocal not or pass raise return try while with yield ",
		values: " True False None self cls ", declares: " def class ",
		comments:   []string{"#"},
		delimiters: []delimiter{triple, {open: "'''", close: "'''", role: theme.String, escape: '\\', lines: true}, double, single},
		prefixes:   "rbfut", calls: true, line: decoratorLine,
	},
	{
		names: " bash sh shell zsh ksh ", keywords: shellWords, values: " true false ", declares: " function ",
		comments: []string{"#"}, spaced: true, delimiters: []delimiter{doubleSh, singleSh}, extra: "-./", sigil: '$', line: shellLine,
	},
	{
		names: " console shell-session shellsession terminal ", keywords: shellWords, values: " true false ",
		comments: []string{"#"}, spaced: true, delimiters: []delimiter{double, {open: `'`, close: `'`, role: theme.String}},
		extra: "-./", sigil: '$', line: consoleLine,
	},
	{
		names: " json jsonl ndjson json5 jsonc ipynb ", values: " true false null NaN Infinity ",
		comments: []string{"//"}, delimiters: []delimiter{double, blockC}, keys: true,
	},
	{
		names: " yaml yml ", values: " true false null yes no on off ~ True False ",
		comments: []string{"#"}, spaced: true, delimiters: []delimiter{double, {open: `'`, close: `'`, role: theme.String}},
		extra: "-./", keys: true, line: yamlLine,
	},
	{
		names: " toml ", values: " true false inf nan ", comments: []string{"#"},
		delimiters: []delimiter{triple, {open: "'''", close: "'''", role: theme.String, lines: true}, double, {open: `'`, close: `'`, role: theme.String}},
		extra:      "-", line: settingLine,
	},
	{
		names: " ini cfg conf config env dotenv properties editorconfig ", values: " true false yes no on off ",
		comments: []string{"#", ";"}, spaced: true, delimiters: []delimiter{double, {open: `'`, close: `'`, role: theme.String}},
		extra: "-./", sigil: '$', line: settingLine,
	},
	{
		names: " go golang ",
		keywords: " break case chan const continue default defer else fallthrough for func go goto if import interface map package " +
			"range return select struct switch type var any bool byte complex64 complex128 error float32 float64 int int8 int16 " +
			"int32 int64 rune string uint uint8 uint16 uint32 uint64 uintptr ",
		values: " true false nil iota ", declares: " func type package ",
		comments: []string{"//"}, delimiters: []delimiter{double, {open: "`", close: "`", role: theme.String, lines: true}, single, blockC},
		calls: true,
	},
	{
		names: " rust rs ",
		keywords: " as async await break const continue crate dyn else enum extern fn for if impl in let loop match mod move mut pub " +
			"ref return self Self static struct super trait type unsafe use where while bool char str String i8 i16 i32 i64 i128 " +
			"isize u8 u16 u32 u64 u128 usize f32 f64 Vec Option Result ",
		values: " true false None Some Ok Err ", declares: " fn struct enum trait mod type ",
		comments: []string{"//"},
		delimiters: []delimiter{
			{open: `r#"`, close: `"#`, role: theme.String, lines: true},
			{open: `"`, close: `"`, role: theme.String, escape: '\\', lines: true},
			letter,
			{open: "/*", close: "*/", role: theme.Comment, lines: true, nests: true},
		},
		calls: true,
	},
	{
		names: " c h cpp c++ cc cxx hpp hxx hh cuda cu cuh objc ", keywords: cWords, values: " true false NULL nullptr this ",
		declares: " struct class enum union namespace ", comments: []string{"//"}, delimiters: []delimiter{double, single, blockC},
		calls: true, line: preprocessorLine,
	},
	{
		names: " java kotlin kt scala csharp cs c# swift ",
		keywords: " abstract assert boolean break byte case catch char class const continue default do double else enum extends final " +
			"finally float for goto if implements import instanceof int interface long native new package private protected public " +
			"return short static strictfp super switch synchronized throw throws transient try void volatile while var val fun " +
			"func let def override sealed using namespace struct protocol guard ",
		values: " true false null nil this ", declares: " class interface enum fun func def struct ",
		comments: []string{"//"}, delimiters: []delimiter{triple, double, single, blockC}, calls: true,
	},
	{
		names: " javascript js jsx mjs cjs typescript ts tsx node ", keywords: scriptWords,
		values: " true false null undefined NaN Infinity this super ", declares: " function class interface type enum ",
		comments: []string{"//"}, delimiters: []delimiter{ticks, double, single, blockC}, extra: "$", calls: true,
	},
	{
		names: " sql sqlite mysql postgres postgresql psql duckdb bigquery ", keywords: sqlWords, values: " null true false ",
		fold: true, comments: []string{"--"},
		delimiters: []delimiter{{open: `'`, close: `'`, role: theme.String, lines: true}, double, blockC}, calls: true,
	},
	{
		names: " html htm xml xhtml svg vue rss plist ", delimiters: []delimiter{markupC}, extra: "-:.", token: markupToken,
	},
	{
		names: " css scss sass less ", keywords: " important media import keyframes supports font-face from to ",
		delimiters: []delimiter{double, single, blockC}, extra: "-", sigil: '@', calls: true, line: propertyLine,
	},
	{
		names: " markdown md mdx ",
		delimiters: []delimiter{
			markupC, {open: "`", close: "`", role: theme.Code}, {open: "**", close: "**", role: theme.Strong},
		},
		line: markdownLine,
	},
	{names: " diff patch udiff ", line: diffLine},
	{
		names: " dockerfile docker containerfile ", keywords: " as ", fold: true, comments: []string{"#"}, spaced: true,
		delimiters: []delimiter{double, {open: `'`, close: `'`, role: theme.String}}, extra: "-", sigil: '$', line: dockerLine,
	},
	{
		names: " makefile make mk gnumakefile ", keywords: " ifeq ifneq ifdef ifndef else endif include define endef export ",
		comments: []string{"#"}, delimiters: []delimiter{double, {open: `'`, close: `'`, role: theme.String}}, extra: "-",
		sigil: '$', line: makeLine,
	},
	{
		names: " r rscript ", keywords: " if else for while repeat function in next break return library require ",
		values: " TRUE FALSE NULL NA NaN Inf T F ", comments: []string{"#"}, delimiters: []delimiter{double, single, ticks},
		extra: ".", calls: true,
	},
	{
		names: " julia jl ",
		keywords: " abstract baremodule begin break catch const continue do else elseif end export finally for function global if " +
			"import in let local macro module mutable primitive quote return struct try type using where while ",
		values: " true false nothing missing Inf NaN pi ", declares: " function struct module macro ",
		delimiters: []delimiter{
			{open: "#=", close: "=#", role: theme.Comment, lines: true, nests: true}, triple, double, letter,
		},
		comments: []string{"#"}, extra: "!@", calls: true,
	},
}
