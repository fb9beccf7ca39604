package progress

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sprint-ml/sprint/jobs/executor"
	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/jobs/runs"
	"github.com/sprint-ml/sprint/ml/plainfile"
	"github.com/sprint-ml/sprint/storage"
)

// JUnit is a report in the form that CI servers read, by the schema junit-10 of
// Jenkins: a suite of the stages, and one of the checks of each verify stage.
type JUnit struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string      `xml:"name,attr"`
	Class   string      `xml:"classname,attr"`
	Time    string      `xml:"time,attr,omitempty"` // seconds
	Skipped *junitCause `xml:"skipped"`
	Error   *junitCause `xml:"error"`
	Failure *junitCause `xml:"failure"`
	Out     string      `xml:"system-out,omitempty"`
}

type junitCause struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

func (j *JUnit) add(s junitSuite) {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	j.Tests, j.Failures, j.Errors = j.Tests+s.Tests, j.Failures+s.Failures, j.Errors+s.Errors
	j.Suites = append(j.Suites, s)
}

// NewJUnit is the report of a run of a plan. A check that only warns does not
// fail; its message is the test's output.
func NewJUnit(ctx context.Context, s *storage.Store, plan string, r *runs.Result) *JUnit {
	j := &JUnit{Name: plan}
	stages := junitSuite{Name: plan + " stages"}
	for _, st := range r.Stages {
		c := junitCase{Name: st.Name, Class: plan, Time: fmt.Sprintf("%.3f", st.Seconds), Out: st.State.String() + ": " + st.Reason}
		cause := &junitCause{Type: st.State.String(), Message: st.Error}
		switch {
		case st.State.Done():
		case st.State == runs.Failed:
			c.Failure = cause
		case st.State == runs.Skipped || st.State < runs.Running:
			cause.Message = st.Reason
			c.Skipped = cause
		default:
			c.Error = cause
		}
		stages.Cases = append(stages.Cases, c)
	}
	j.add(stages)
	for _, st := range r.Stages {
		v, ok := document.ReadVerification(ctx, s, st)
		if !ok {
			continue
		}
		checks := junitSuite{Name: plan + " " + st.Name}
		for _, x := range v.Checks {
			c := junitCase{Name: x.Name(), Class: plan + "." + st.Name, Out: x.Message}
			switch x.Outcome() {
			case document.Fail:
				c.Failure, c.Out = &junitCause{Type: "check", Message: x.Message, Text: explain(x)}, ""
			case document.Warn:
				c.Out = "warning: " + x.Message + "\n" + explain(x)
			}
			checks.Cases = append(checks.Cases, c)
		}
		j.add(checks)
	}
	return j
}

// explain lists the rows that explain a failed check.
func explain(r document.Check) string {
	var b strings.Builder
	for _, x := range r.Samples {
		fmt.Fprintf(&b, "%s %q: expected %s, answered %s\n", x.ID, x.Title, x.Expected, x.Answered)
	}
	return b.String()
}

// NotBegun is the report of a command that ended before its run began.
func NotBegun(plan string, err error) *JUnit {
	j := &JUnit{Name: plan}
	j.add(junitSuite{Name: plan, Cases: []junitCase{{Name: "run", Class: plan, Error: &junitCause{Type: executor.Code(err).Class(), Message: err.Error()}}}})
	return j
}

// TouchJUnit finds out before the work whether a file can be written; an empty path
// is none.
func TouchJUnit(path string) error {
	if path == "" {
		return nil
	}
	f, err := plainfile.OpenToWrite(path, os.O_CREATE)
	if err != nil {
		return err
	}
	return f.Close()
}

// WriteJUnit writes a report to a file; an empty path is none.
func WriteJUnit(path string, j *JUnit) error {
	if path == "" {
		return nil
	}
	body, err := xml.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	f, err := plainfile.OpenToWrite(path, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(append([]byte(xml.Header), append(body, '\n')...))
	return errors.Join(err, f.Close())
}
