package repo

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire"
)

// kept is a JSON object as it came. Types that embed it read the members they
// know and give back all others, and the untouched ones byte for byte.
type kept struct{ raw map[string]json.RawMessage }

// keep decodes data into the struct that known points to and returns the
// members it has no field for.
func (k *kept) keep(data []byte, known any) (extra map[string]json.RawMessage, err error) {
	k.raw = nil
	if err := json.Unmarshal(data, &k.raw); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, known); err != nil {
		return nil, err
	}
	extra = maps.Clone(k.raw)
	for name := range fields(known) {
		delete(extra, name)
	}
	if len(extra) == 0 {
		extra = nil
	}
	return extra, nil
}

// give encodes the struct that known points to and extra as one object. fresh
// is an empty struct of the same type.
func (k *kept) give(known, fresh any, extra map[string]json.RawMessage) ([]byte, error) {
	out := map[string]json.RawMessage{}
	maps.Copy(out, extra)
	if k.raw != nil {
		whole, err := json.Marshal(k.raw)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(whole, fresh); err != nil {
			return nil, err
		}
	}
	before := fields(fresh)
	for name, v := range fields(known) {
		if reflect.DeepEqual(v.Interface(), before[name].Interface()) {
			if raw, ok := k.raw[name]; ok {
				out[name] = raw
			}
			continue
		}
		data, err := json.Marshal(v.Interface())
		if err != nil {
			return nil, err
		}
		out[name] = data
	}
	return json.Marshal(out)
}

// fields are the fields of a struct by the names of their JSON members.
func fields(pointer any) map[string]reflect.Value {
	v := reflect.ValueOf(pointer).Elem()
	all := map[string]reflect.Value{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			all[name] = v.Field(i)
		}
	}
	return all
}

func asError(err error) (*wire.Error, bool) {
	var e *wire.Error
	ok := errors.As(err, &e)
	return e, ok
}
