package stages

import "fmt"

// Code is the exit code of a process, and of the failure that decides it.
// Scripts rely on the numbers; Exits says what each means.
type Code int

// The exit codes.
const (
	CodeDone        Code = 0   // nothing failed
	CodeStage       Code = 1   // the work is wrong
	CodeUsage       Code = 2   // the command line is wrong
	CodePlan        Code = 3   // plan, taxonomy, --set, or a file they name
	CodeEnvironment Code = 4   // device, plugin, credentials, store, network, disk, a model that is not there
	CodeGate        Code = 5   // a check of verify failed
	CodePending     Code = 6   // work is left, for plan --exit-code
	CodeLease       Code = 7   // held by a live run
	CodeMemory      Code = 8   // out of memory after fall-backs
	CodeIntegrity   Code = 9   // bytes that fail their digest or format
	CodePublish     Code = 10  // publish refused
	CodeSource      Code = 11  // a source gave fewer rows than demanded
	CodeInterrupted Code = 75  // stopped, resumable
	CodeDeadline    Code = 124 // deadline, nothing resumable
	CodeAborted     Code = 130 // interrupted twice: not waited for
)

// Exit is one row of the exit table.
type Exit struct {
	Code Code
	// Class is the word of result.json; programs rely on it.
	Class string
	// Meaning is the text of `sprint --help`.
	Meaning string
}

// Exits is the exit table, in the order of the codes. Result records, help
// text and documentation all take it from here.
func Exits() []Exit {
	return []Exit{
		{CodeDone, "done", "done or cached"},
		{CodeStage, "stage failed", "a stage failed"},
		{CodeUsage, "usage", "usage"},
		{CodePlan, "plan invalid", "plan, taxonomy, --set or a file they name is invalid"},
		{CodeEnvironment, "environment", "environment: device, credentials, store, network, disk, or a model that the store has not"},
		{CodeGate, "verify gate failed", "a check of verify failed"},
		{CodePending, "work pending", "work pending (plan --exit-code)"},
		{CodeLease, "lease held", "lease held by a live run"},
		{CodeMemory, "out of memory", "out of memory after fall-backs"},
		{CodeIntegrity, "integrity", "integrity: bytes that fail their digest or format"},
		{CodePublish, "publish refused", "publish refused"},
		{CodeSource, "source short", "a source gave fewer rows than demanded"},
		{CodeInterrupted, "interrupted", "interrupted, the same command continues"},
		{CodeDeadline, "deadline", "deadline, nothing to continue from"},
		{CodeAborted, "interrupted twice", "interrupted twice"},
	}
}

// Class is the exit table's word for a code; a code that is not in the table is
// named by its number.
func (c Code) Class() string {
	for _, e := range Exits() {
		if e.Code == c {
			return e.Class
		}
	}
	return fmt.Sprintf("code %d", c)
}
