package arxiv

// Read is the reading of an answer, for the fuzzer.
var Read = read
