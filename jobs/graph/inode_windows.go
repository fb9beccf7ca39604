package graph

import "os"

func identity(*os.File) (inode uint64, changed int64) { return 0, 0 }
