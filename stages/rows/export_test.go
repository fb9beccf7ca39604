package rows

// ReadWithin is Read with other limits.
var ReadWithin = read

// Ordinary and NormalizeAny are the two ways of NormalizeTitle.
var (
	Ordinary     = ordinary
	NormalizeAny = normalizeAny
)
