package ort

import "github.com/sprint-ml/sprint/ml/bert"

// Ready is a run of the library's on the ids of one text, which are in its inputs: the least
// that a prediction takes.
func (p *Predictor) Ready(t bert.Text) (run func() error) {
	length := min(len(t.IDs), p.model.Spec.MaxLength)
	in := p.inputs([]bert.Text{t}, []int{0}, length)
	return func() error {
		_, err := p.session.run(in, 1, length)
		return err
	}
}
