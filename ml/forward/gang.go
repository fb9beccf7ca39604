package forward

import (
	"runtime"
	"sync/atomic"
	"time"
)

// gang is the goroutines that compute one batch together: the caller's, and those that help
// until it ends. The nil *gang is the caller alone. Between steps, which take some
// microseconds, they look for work without sleeping.
type gang struct {
	size   int          // at most
	joined atomic.Int32 // who asked to help, those too for whom there was no place
	now    atomic.Pointer[step]
}

// step is jobs that may be done at once.
type step struct {
	do         func(worker, job int)
	jobs       int64
	next, done atomic.Int64
	last       bool // there will be no other
}

// newGang starts size-1 goroutines that help; end ends them.
func newGang(size int) *gang {
	g := &gang{size: size}
	g.joined.Store(int32(size - 1)) //nolint:gosec // processors
	for worker := 1; worker < size; worker++ {
		go g.help(worker)
	}
	return g
}

// most is how many workers it has at most.
func (g *gang) most() int {
	if g == nil {
		return 1
	}
	return g.size
}

// alone reports whether nobody helps the caller by now.
func (g *gang) alone() bool { return g == nil || g.joined.Load() == 0 }

// join helps until the gang ends, unless it has enough helpers.
func (g *gang) join() {
	if worker := int(g.joined.Add(1)); worker < g.size {
		g.help(worker)
	}
}

// do does all jobs, and returns when they are done.
func (g *gang) do(jobs int, job func(worker, job int)) {
	if g.most() == 1 || jobs == 1 {
		for i := range jobs {
			job(0, i)
		}
		return
	}
	s := &step{do: job, jobs: int64(jobs)}
	g.now.Store(s)
	s.work(0)
	for spins := 0; s.done.Load() < s.jobs; spins++ {
		pause(spins)
	}
}

func (g *gang) end() {
	if g != nil {
		g.now.Store(&step{last: true})
	}
}

// help works for a gang until it ends.
func (g *gang) help(worker int) {
	var before *step
	for spins := 0; ; spins++ {
		s := g.now.Load()
		if s == before {
			pause(spins)
			continue
		}
		if s.last {
			return
		}
		s.work(worker)
		before, spins = s, 0
	}
}

// work does jobs until there are none left.
func (s *step) work(worker int) {
	for {
		i := s.next.Add(1) - 1
		if i >= s.jobs {
			return
		}
		s.do(worker, int(i))
		s.done.Add(1)
	}
}

// pause waits a moment, the longer the more often it was called: who waits for long waits for
// somebody who does not run, and must not keep the core from them.
func pause(spins int) {
	switch {
	case spins >= shortPauses:
		time.Sleep(napTime)
	case spins%32 == 31:
		runtime.Gosched()
	}
}

const (
	// shortPauses is how many pauses are short; together they are longer than a step.
	shortPauses = 4096
	napTime     = 50 * time.Microsecond
)
