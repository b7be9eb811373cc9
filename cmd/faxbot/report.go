package main

import (
	"fmt"
	"reflect"
	"strings"
)

// report is the settings for administrators to see, by the names of their
// environment variables. Of a secret it tells only whether it is set.
func (s settings) report() map[string]any {
	all := map[string]any{}
	for _, group := range reflect.ValueOf(s).Fields() {
		for field, value := range group.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			if name == "" {
				name = "--" + field.Tag.Get("name")
			}
			switch v := value.Interface().(type) {
			case secret:
				all[name] = v != ""
			case []secret:
				all[name] = len(v) > 0
			case fmt.Stringer:
				all[name] = v.String()
			default:
				all[name] = v
			}
		}
	}
	return all
}
