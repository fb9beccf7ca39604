package storage

import "testing"

func TestHolderDead(t *testing.T) {
	self := Self()
	if self.Dead(self) {
		t.Error("this process counts as dead")
	}
	for name, change := range map[string]func(*Holder){
		"another boot":      func(h *Holder) { h.Boot = "x" },
		"another namespace": func(h *Holder) { h.Namespace = "x" },
		"unknown boot":      func(h *Holder) { h.Boot = "" },
	} {
		h := self
		h.PID, h.Started = 1<<30, "1"
		change(&h)
		if h.Dead(self) {
			t.Errorf("%s: judged from afar", name)
		}
	}
	if self.Boot != "" {
		reused := self
		reused.Started = "1"
		if !reused.Dead(self) {
			t.Error("another process with the pid of a dead one counts as it")
		}
	}
}
