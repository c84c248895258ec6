package proc

func (g Group) leads() bool { return g.alive() }
