package dedup

// DisjointSets is a set of disjoint groups of the numbers from 0. Find and Join are for
// one goroutine at a time.
type DisjointSets []int

// NewDisjointSets makes n groups of one.
func NewDisjointSets(n int) DisjointSets {
	u := make(DisjointSets, n)
	for i := range u {
		u[i] = i
	}
	return u
}

// Find returns the least member of i's group.
func (u DisjointSets) Find(i int) int {
	for u[i] != i {
		u[i] = u[u[i]]
		i = u[i]
	}
	return i
}

// findShared is Find for many readers at a time.
func (u DisjointSets) findShared(i int) int {
	for u[i] != i {
		i = u[i]
	}
	return i
}

// Union makes one group of two.
func (u DisjointSets) Union(i, j int) {
	if a, b := u.Find(i), u.Find(j); a != b {
		u[max(a, b)] = min(a, b)
	}
}

// Numbers gives each group the rank of its first member.
func (u DisjointSets) Numbers() []int {
	out := make([]int, len(u))
	ranks := make(map[int]int)
	for i := range u {
		root := u.Find(i)
		if _, ok := ranks[root]; !ok {
			ranks[root] = len(ranks)
		}
		out[i] = ranks[root]
	}
	return out
}
