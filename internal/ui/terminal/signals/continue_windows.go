package signals

import "os"

// goesOn is nil: no process is stopped here.
var goesOn os.Signal
