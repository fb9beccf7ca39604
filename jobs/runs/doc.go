// Package runs holds what a store knows of a run, to be written by the runner and
// read by everyone else: status, logs, reports, gc. It never needs the runner.
//
//	runs/<id>/plan.yaml, resolved.json   what the run was going to do
//	runs/<id>/uses, used/                what it reads (readset.go)
//	runs/<id>/attempts/<stage>/<n>.json  each try of a stage (attempt.go)
//	runs/<id>/events/, logs/             what happened (journal.go, log.go)
//	runs/<id>/cancel                     the request to end (cancel.go)
//	runs/<id>/result.json                how it ended (record.go)
//	leases/runs/<id>                     who works on it (status.go, liveness.go)
//	pins/runs/<id>                       that a gc keeps it (pin.go)
package runs
