package store

// Disk is what a journal asks of its file.
type Disk = disk

// Wrap puts something between the store and the files it opens from now on.
func (s *Store) Wrap(wrap func(Disk) Disk) { s.wrap = wrap }
