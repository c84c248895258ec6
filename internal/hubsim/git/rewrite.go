package git

import "slices"

// Without rewrites the history of heads so that no file points to one of the
// LFS contents, and returns the new name of every commit that changed.
func (o *Objects) Without(sums []string, heads ...string) (map[string]string, error) {
	log, err := o.Log(heads...)
	if err != nil {
		return nil, err
	}
	renamed := map[string]string{}
	for _, c := range slices.Backward(log) {
		tree, err := o.treeWithout(c.Tree, sums)
		if err != nil {
			return nil, err
		}
		next := *c
		next.Tree, next.Parents = tree, nil
		for _, p := range c.Parents {
			if to, ok := renamed[p]; ok {
				p = to
			}
			next.Parents = append(next.Parents, p)
		}
		if tree == c.Tree && slices.Equal(next.Parents, c.Parents) {
			continue
		}
		if renamed[c.OID], err = o.PutCommit(next); err != nil {
			return nil, err
		}
	}
	return renamed, nil
}

func (o *Objects) treeWithout(tree string, sums []string) (string, error) {
	edits := map[string]*Entry{}
	var failed error
	err := o.Walk(tree, "", func(path string, e Entry) bool {
		if e.Dir() {
			return true
		}
		p, err := o.Pointer(e.OID)
		if err != nil {
			failed = err
		} else if p != nil && slices.Contains(sums, p.SHA256) {
			edits[path] = nil
		}
		return true
	})
	if err == nil {
		err = failed
	}
	if err != nil || len(edits) == 0 {
		return tree, err
	}
	return o.Edit(tree, edits)
}
