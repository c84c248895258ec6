package proc

import "strconv"

func (g Group) leads() bool {
	s, ok := statOf(strconv.Itoa(g.ID))
	return ok && !s.zombie && (g.Start == "" || s.start+"-"+bootID() == g.Start)
}
