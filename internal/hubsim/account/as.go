package account

// As is the caller a user is with all his rights: things that were started by a
// request go on in his name when it is long over. It is nil for a name nobody
// has.
func (b *Book) As(user string) *Caller {
	e, ok := b.Find(user)
	if !ok {
		return nil
	}
	return &Caller{User: e, Token: &Token{Owner: e.Name, Role: "write"}, book: b}
}
