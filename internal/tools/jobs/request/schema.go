package request

import (
	"encoding/json"
	"errors"
	"strings"
)

// WithFlavors puts the names of the flavors into the schema of the arguments.
func WithFlavors(schema json.RawMessage, names []string) (json.RawMessage, error) {
	const field = `"hardware_flavor":{`
	enum, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	text := string(schema)
	if strings.Count(text, field) != 1 {
		return nil, errors.New("make hf_jobs: its schema has no hardware_flavor")
	}
	return json.RawMessage(strings.Replace(text, field, field+`"enum":`+string(enum)+`,`, 1)), nil
}

// Operations are those of the schema for a person, in its order.
func Operations(schema json.RawMessage) string {
	var s struct {
		Properties struct {
			Operation struct {
				Enum []string `json:"enum"`
			} `json:"operation"`
		} `json:"properties"`
	}
	_ = json.Unmarshal(schema, &s) // the tool was made with it
	return strings.Join(s.Properties.Operation.Enum, ", ")
}
