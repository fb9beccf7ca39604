//go:build !linux && !darwin

package ownership

import "io/fs"

// IdentityOf has no identity to give on this system.
func IdentityOf(fs.FileInfo) (id Identity, ok bool) { return id, false }

// Boot is unknown on this system.
func Boot() string { return "" }
