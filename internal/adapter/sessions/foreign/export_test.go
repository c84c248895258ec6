package foreign

// LinesUpTo is Lines with another bound of the file.
var LinesUpTo = lines
