package main

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sprint-ml/sprint/ml/bert"
	"github.com/sprint-ml/sprint/ml/device"
)

// round keeps so many digits after the point.
func round(x float64, digits int) float64 {
	scale := math.Pow(10, float64(digits))
	return math.Round(x*scale) / scale
}

// openDevice opens the device, names it and what nvidia-smi says of the card.
func openDevice(ctx context.Context, s settings, say func(figures)) error {
	f := figures{}
	if card := nvidiaSMI(ctx); card != "" {
		f["card"] = card
		say(f)
	}
	d, took, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	f["seconds_to_open"], f["device"] = round(took.Seconds(), 2), d.Info
	say(f)
	return nil
}

func nvidiaSMI(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader").Output()
	if err != nil {
		return "" // a machine without a card has no such tool
	}
	return strings.TrimSpace(string(out))
}

// texts are random ones of one length, special tokens included.
func texts(n, length, vocabulary int, seed uint64) []bert.Text {
	rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same texts on every machine
	out := make([]bert.Text, n)
	for i := range out {
		ids := []int32{2}
		for range length - 2 {
			ids = append(ids, int32(5+rng.IntN(vocabulary-5))) //nolint:gosec // vocabularies are small
		}
		out[i].IDs = append(ids, 3)
	}
	return out
}

// strict is the environment in which NVIDIA's libraries multiply float32 as such, and not as
// TF32.
const strict = "NVIDIA_TF32_OVERRIDE=0"

// parity compares the vectors of texts with those of the pure-Go backend, in float32 as the
// device multiplies it by default, and in bfloat16.
func parity(ctx context.Context, s settings, say func(figures)) error {
	z := miniLM()
	if s.Small {
		z = tiny()
	}
	return z.inFolder(func(m *bert.Model, _ string) error {
		d, _, err := s.open(ctx)
		if err != nil {
			return err
		}
		defer d.Close()
		pure, err := device.Open(ctx, device.Go, device.Options{})
		if err != nil {
			return err
		}
		defer pure.Close()
		in := texts(8, 24, z.Rows, 5)
		want, err := bert.Pooled(m, pure, in, false)
		if err != nil {
			return err
		}
		f := figures{"encoder": z.Name, "tf32_off": os.Getenv("NVIDIA_TF32_OVERRIDE") == "0"}
		for name, half := range map[string]bool{"fp32": false, "bf16": true} {
			got, err := bert.Pooled(m, d, in, half)
			if err != nil {
				return err
			}
			f[name+"_largest_relative_difference"] = relative(got, want)
			say(f)
		}
		if s.Device == device.CUDA && os.Getenv("NVIDIA_TF32_OVERRIDE") != "0" {
			strictly, err := again(ctx, "parity", s, strict)
			if err != nil {
				return err
			}
			f["strict_fp32_largest_relative_difference"] = strictly["fp32_largest_relative_difference"]
			say(f)
		}
		return nil
	})
}

// relative is the largest difference of any value, over the largest value of its vector.
func relative(got, want [][]float32) float64 {
	worst := 0.0
	for i := range want {
		far, largest := 0.0, 0.0
		for j := range want[i] {
			far = max(far, math.Abs(float64(got[i][j]-want[i][j])))
			largest = max(largest, math.Abs(float64(want[i][j])))
		}
		worst = max(worst, far/largest)
	}
	return worst
}
