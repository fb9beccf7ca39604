//go:build unix

// Package skytest is a stand-in for SkyPilot: its command, with the answers that version
// 0.14.1 was seen to give, and a server that keeps the jobs and runs them as processes of
// this machine. Real SkyPilot reads the tasks of the provider in a test.
package skytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Part is the word by which a test's binary is told to play the command: its TestMain
// gives jobstest.Main a part of that name, which is Play.
const Part = "sky"

// Call is one call of the command.
type Call struct {
	Args    []string
	Secrets map[string]string // of --secret, by the caller's environment
	File    []byte            // the file that launch is given
}

// Answer is what the command says.
type Answer struct {
	Stdout, Stderr string
	Code           int
}

// Server is the stand-in. It is safe for concurrent use.
type Server struct {
	// Command is the path of its command.
	Command string
	// Grace is how long a cancelled job may take; then it is killed.
	Grace time.Duration

	mu     sync.Mutex
	jobs   []*job
	calls  []Call
	faults []Fault
	clouds map[string][]string
}

// Fault answers a call in the server's place where it returns true.
type Fault func(Call) (Answer, bool)

// New starts a server that ends with the test, and its jobs with it.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{Grace: 10 * time.Second, clouds: map[string][]string{"AWS": {"compute", "storage"}}}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c Call
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(s.Answer(c))
	}))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.Command = filepath.Join(t.TempDir(), "sky")
	script := fmt.Sprintf("#!/bin/sh\nexec '%s' %s '%s' \"$@\"\n", self, Part, web.URL)
	if err := os.WriteFile(s.Command, []byte(script), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, j := range s.all() {
			j.cancel(syscall.SIGKILL)
			<-j.done
		}
		web.CloseClientConnections()
		web.Close()
	})
	return s
}

// Play is the command: it hands its call to the server at the address args[0].
func Play(args []string) int {
	c := Call{Args: args[1:], Secrets: map[string]string{}}
	for i, word := range c.Args {
		switch {
		case word == "--secret" && i+1 < len(c.Args):
			name := c.Args[i+1]
			value, ok := os.LookupEnv(name)
			if !ok {
				fmt.Fprintf(os.Stderr, "Usage: sky jobs launch [OPTIONS] ENTRYPOINT...\nTry 'sky jobs launch -h' for help.\n\nError: %s is not set in local environment.\n", name)
				return 2
			}
			c.Secrets[name] = value
		case strings.HasSuffix(word, ".yaml"):
			text, err := os.ReadFile(word)
			if err != nil {
				fmt.Fprintln(os.Stderr, "Error:", err)
				return 2
			}
			c.File = text
		}
	}
	body, _ := json.Marshal(c) // strings and bytes cannot fail
	resp, err := http.Post(args[0], "application/json", bytes.NewReader(body))
	if err != nil {
		fmt.Fprintln(os.Stderr, "sky.exceptions.ApiServerConnectionError: Could not connect to SkyPilot API server at "+args[0])
		return 1
	}
	defer resp.Body.Close()
	var a Answer
	data, err := io.ReadAll(resp.Body)
	if err != nil || json.Unmarshal(data, &a) != nil {
		fmt.Fprintf(os.Stderr, "the stand-in answers %q, %v\n", data, err)
		return 1
	}
	fmt.Fprint(os.Stdout, a.Stdout)
	fmt.Fprint(os.Stderr, a.Stderr)
	return a.Code
}

// Fault makes the next calls meet these, one each.
func (s *Server) Fault(f ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f...)
}

// Says is a fault that answers so.
func Says(stdout, stderr string, code int) Fault {
	return func(Call) (Answer, bool) { return Answer{stdout, stderr, code}, true }
}

// Pass is one that lets a call through.
func Pass(Call) (Answer, bool) { return Answer{}, false }

// Calls are all calls so far.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Launched are the calls that launched a job.
func (s *Server) Launched() []Call {
	return slices.DeleteFunc(s.Calls(), func(c Call) bool { return len(c.Args) < 2 || c.Args[1] != "launch" })
}

// Disable takes all clouds away, as before `sky check`.
func (s *Server) Disable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clouds = nil
}

// Forget deletes all that the server knows of its jobs, which go on.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		j.forgotten = true
	}
}

// Ends makes the newest job end there with a state and words of SkyPilot's.
func (s *Server) Ends(state, reason string) {
	all := s.all()
	j := all[len(all)-1]
	j.mu.Lock()
	j.state, j.failure = state, reason
	j.mu.Unlock()
	j.signal(syscall.SIGKILL)
}

// Preempt takes the machines of all jobs: their processes are gone without a word.
func (s *Server) Preempt() {
	for _, j := range s.all() {
		j.signal(syscall.SIGKILL)
	}
}

// Shutdown asks all that runs on the machines of jobs to end, as one that shuts down does.
func (s *Server) Shutdown() {
	for _, j := range s.all() {
		j.signal(syscall.SIGTERM)
	}
}

func (s *Server) all() []*job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.jobs)
}

const nobody = "sky.exceptions.ClusterNotUpError: No in-progress managed jobs.\n"

// Answer is what a call is told.
func (s *Server) Answer(c Call) Answer {
	s.mu.Lock()
	s.calls = append(s.calls, c)
	var fault Fault
	if len(s.faults) > 0 {
		fault, s.faults = s.faults[0], s.faults[1:]
	}
	clouds := s.clouds
	s.mu.Unlock()
	if fault != nil {
		if a, met := fault(c); met {
			return a
		}
	}
	line := strings.Join(c.Args, " ")
	switch {
	case line == "--version":
		return Answer{Stdout: "skypilot, version 0.14.1\n"}
	case line == "check -o json":
		text, _ := json.MarshalIndent(map[string]any{"default": clouds}, "", "  ")
		if clouds == nil {
			text = []byte("{\n  \"default\": {}\n}")
		}
		return Answer{Stdout: string(text) + "\n"}
	case line == "jobs queue -a -v -o json":
		return s.queue()
	case strings.HasPrefix(line, "jobs launch -n "):
		return s.Launch(c)
	case strings.HasPrefix(line, "jobs cancel -y "):
		if len(s.all()) == 0 {
			return Answer{Stderr: nobody, Code: 1}
		}
		for _, number := range c.Args[3:] {
			if j := s.find(number); j != nil {
				go j.end(s.Grace)
			}
		}
		return Answer{Stdout: "Jobs with IDs " + strings.Join(c.Args[3:], ", ") + " are scheduled to be cancelled.\n"}
	case strings.HasPrefix(line, "jobs logs --no-follow "):
		if j := s.find(c.Args[3]); j != nil {
			return j.logs()
		}
		return Answer{}
	}
	return Answer{Stderr: "Error: No such option: " + line + "\n", Code: 2}
}

func (s *Server) find(number string) *job {
	n, _ := strconv.Atoi(number)
	if all := s.all(); n >= 1 && n <= len(all) && !all[n-1].forgotten {
		return all[n-1]
	}
	return nil
}

// Launch takes a job as the server does, whatever its caller is told.
func (s *Server) Launch(c Call) Answer {
	j := &job{name: c.Args[3], submitted: time.Now(), state: "PENDING", secrets: c.Secrets, done: make(chan struct{})}
	if err := json.Unmarshal(c.File, &j.file); err != nil {
		return Answer{Stderr: "sky.exceptions.InvalidSkyPilotConfigError: Invalid task YAML: " + err.Error() + "\n", Code: 1}
	}
	s.mu.Lock()
	s.jobs = append(s.jobs, j)
	j.number = len(s.jobs)
	s.mu.Unlock()
	go j.run()
	return Answer{Stdout: fmt.Sprintf("YAML to run: task.yaml\n\x1b[0mManaged job ID: %d\n", j.number)}
}

// queue is the list with the shape of the real one, the newest first.
func (s *Server) queue() Answer {
	list := []map[string]any{}
	for _, j := range slices.Backward(s.all()) {
		if !j.forgotten {
			list = append(list, j.view())
		}
	}
	if len(s.all()) == 0 {
		return Answer{Stderr: nobody, Code: 1}
	}
	text, _ := json.MarshalIndent(list, "", "  ")
	return Answer{Stdout: string(text) + "\n"}
}
