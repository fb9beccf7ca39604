package rows

// ReadWithin is Read with other limits.
var ReadWithin = read
