package storage

// CopyInParts lets a store on S3 copy what has more than n bytes in parts of n.
func CopyInParts(s *Store, n int64) { s.mover.(*s3Mover).copyAtOnce = n }
