//go:build !unix

package answers

import "os"

// lock locks nothing: what is written beside a file that another process writes is
// refused by the system when it is moved there.
func lock(*os.File) bool { return true }
