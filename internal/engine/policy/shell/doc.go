// Package shell reads a shell command without running it: which commands it
// would start, which files it would write, and what about it is dangerous or
// cannot be told. It over-estimates where it must: a path that depends on a
// variable is unknown, a directory change keeps the old directory possible.
// It does no I/O (symbolic links are not followed) and knows neither rules nor
// modes. It judges shell text only; what a Python or awk program does once it
// runs is not seen. What it finds helps people to decide; it is no boundary.
package shell
