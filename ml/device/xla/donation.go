//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package xla

import (
	"reflect"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/go-xla/stablehlo"
)

// donating gives the backend of b whose programs reuse the buffers of donated inputs; b itself
// where it is no XLA backend.
func donating(b compute.Backend, n int) compute.Backend {
	if x, ok := b.(*xla.Backend); ok {
		return &aliasing{Backend: x, donated: n}
	}
	return b
}

// aliasing is an XLA backend whose programs reuse the buffers of donated
// inputs. go-xla marks inputs as donated when a program runs, but never tells
// the compiler which output may take which input's place, so that without this
// a training step holds its whole state twice.
type aliasing struct {
	*xla.Backend
	donated int
}

func (a *aliasing) Builder(name string) compute.Builder {
	b := a.Backend.Builder(name)
	if x, ok := b.(*xla.Builder); ok {
		return &aliasingBuilder{Builder: x, donated: a.donated}
	}
	return b
}

type aliasingBuilder struct {
	*xla.Builder
	donated int
}

// Compile marks the donated inputs of the main function as JAX does for
// donate_argnums.
func (b *aliasingBuilder) Compile() (compute.Executable, error) {
	if f := mainFunction(b.Builder); f != nil {
		for i := range min(b.donated, len(f.Inputs)) {
			if f.Inputs[i].Attributes == nil {
				f.Inputs[i].Attributes = map[string]any{}
			}
			f.Inputs[i].Attributes["tf.aliasing_output"] = int32(i) //nolint:gosec // programs have few inputs
		}
	}
	return b.Builder.Compile()
}

// mainFunction is the program that the builder holds in fields which it does
// not export; nil if another version of go-xla keeps it elsewhere, which
// TestDonating notices.
func mainFunction(b *xla.Builder) *stablehlo.Function {
	main := reflect.ValueOf(b).Elem().FieldByName("mainFn")
	if !main.IsValid() || main.Type() != reflect.TypeFor[*xla.Function]() || main.IsNil() {
		return nil
	}
	f := main.Elem().FieldByName("fn")
	if !f.IsValid() || f.Type() != reflect.TypeFor[*stablehlo.Function]() {
		return nil
	}
	return (*stablehlo.Function)(f.UnsafePointer())
}
