package files

// TempName is a name that another process would give the temporary file of base.
func TempName(base string) string { return tempPrefix(base) + "ANOTHER0-12345678" + tempSuffix }
