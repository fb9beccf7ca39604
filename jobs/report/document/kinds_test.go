package document_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/sprint-ml/sprint/jobs/report/document"
	"github.com/sprint-ml/sprint/ml/metrics"
	"github.com/sprint-ml/sprint/stages/label"
	"github.com/sprint-ml/sprint/stages/release"
	"github.com/sprint-ml/sprint/stages/split"
	"github.com/sprint-ml/sprint/stages/train"
	"github.com/sprint-ml/sprint/stages/verify"
)

// TestKinds: every field that is read is one that the kind writes today, of a
// type that holds it: a document with everything in it leaves no field empty.
func TestKinds(t *testing.T) {
	for name, c := range map[string]struct{ written, read any }{
		"metrics":      {&verify.Metrics{}, &document.Metrics{}},
		"checks":       {&verify.Checks{}, &document.Checks{}},
		"timings":      {&verify.Timings{}, &document.Timings{}},
		"predictions":  {&verify.Prediction{}, &document.Prediction{}},
		"split_report": {&split.Report{}, &document.SplitReport{}},
		"label_report": {&label.Report{}, &document.LabelReport{}},
		"history":      {&train.Epoch{}, &document.Epoch{}},
		"calibration":  {&release.Calibration{}, &document.Fitted{}},
	} {
		fill(reflect.ValueOf(c.written).Elem())
		data, err := json.Marshal(c.written)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, c.read); err != nil {
			t.Errorf("%s cannot be read: %v", name, err)
			continue
		}
		for _, path := range empty(reflect.ValueOf(c.read).Elem(), name) {
			t.Errorf("%s is read and never written", path)
		}
	}
	if document.MinSupport != metrics.MinSupport {
		t.Errorf("%d positives make a category count, not %d", metrics.MinSupport, document.MinSupport)
	}
}

// fill gives every exported field of a value content.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	default:
		panic(fmt.Sprintf("a document has a %s", v.Type()))
	}
}

// empty lists the fields of a value that hold nothing.
func empty(v reflect.Value, path string) (out []string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			out = append(out, empty(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
		return out
	case reflect.Pointer:
		if !v.IsNil() {
			return empty(v.Elem(), path)
		}
	case reflect.Slice, reflect.Array:
		if v.Len() > 0 {
			return empty(v.Index(0), path)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			return empty(v.MapIndex(key), path)
		}
	default:
		if !v.IsZero() {
			return nil
		}
	}
	return []string{path}
}
