package syntax

// Expr is an expression: one of the types below. Stmt is a statement.
type (
	Expr any
	Stmt any
)

// The expressions.
type (
	Literal  struct{ Value any }
	Variable struct{ Name string }
	List     struct{ Items []Expr }
	Dict     struct{ Keys, Values []Expr }
	Unary    struct {
		Op string
		X  Expr
	}
	Binary struct {
		Op   string
		X, Y Expr
	}
	// Comparison may have several signs, as in a < b < c.
	Comparison struct {
		First Expr
		Ops   []string
		Rest  []Expr
	}
	Conditional struct{ Then, Cond, Other Expr }
	Attribute   struct {
		X    Expr
		Name string
	}
	Index struct{ X, Key Expr }
	// Slice has nil for the bounds that are left out.
	Slice struct{ X, From, To, Step Expr }
	Call  struct {
		Fn   Expr
		Args Arguments
	}
	Filter struct {
		X    Expr
		Name string
		Args Arguments
	}
	Test struct {
		X       Expr
		Name    string
		Args    Arguments
		Negated bool
	}
	// Arguments are those of a call, by place and by name.
	Arguments struct {
		Places []Expr
		Names  []string
		Values []Expr
	}
)

// The statements.
type (
	Text   struct{ S string }
	Output struct{ X Expr }
	If     struct {
		Conds  []Expr
		Bodies [][]Stmt
		Other  []Stmt
	}
	For struct {
		Targets []string
		Over    Expr
		Cond    Expr // nil for none
		Body    []Stmt
		Other   []Stmt
	}
	// Set gives names a value, or what its body writes where Value is nil.
	Set struct {
		Targets []string
		Object  string // the namespace whose member is set; empty for a name
		Value   Expr
		Body    []Stmt
		Filters []Filter
	}
	Macro struct {
		Name     string
		Params   []string
		Defaults []Expr // nil for those without
		Body     []Stmt
	}
	FilterBlock struct {
		Filters []Filter
		Body    []Stmt
	}
	// Generation encloses what the model writes.
	Generation struct{ Body []Stmt }
	// Jump is continue, where Again is set, or break.
	Jump struct{ Again bool }
)
