package acp

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/ml-intern/ml-intern/internal/domain/event"
	"github.com/ml-intern/ml-intern/internal/ui/acp/protocol"
	"github.com/ml-intern/ml-intern/internal/ui/acp/wire"
)

// Ids of the settings that an editor can change.
const (
	modeOption   = "mode"
	modelOption  = "model"
	effortOption = "effort"
)

// told is what a session that is open tells of itself.
func (one *session) told() protocol.OpenResponse {
	one.mu.Lock()
	mode := one.settings.ApprovalMode
	one.mu.Unlock()
	return protocol.OpenResponse{Modes: &protocol.Modes{Current: mode, Available: one.opened.Modes}, Config: one.options()}
}

// options are the settings as they are now.
func (one *session) options() []protocol.Option {
	one.mu.Lock()
	set := one.settings
	one.mu.Unlock()
	var modes []protocol.Choice
	for _, m := range one.opened.Modes {
		modes = append(modes, protocol.Choice{Value: m.ID, Name: m.Name, Description: m.Description})
	}
	return []protocol.Option{
		option(modeOption, "Approvals", "what asks first", "mode", set.ApprovalMode, modes),
		option(modelOption, "Model", "", "model", set.Model, one.opened.Models),
		option(effortOption, "Effort", "how hard the model thinks", "thought_level", set.Effort, one.opened.Efforts),
	}
}

// option is a setting with its value, which stands in the list whatever it is.
func option(id, name, description, category, now string, choices []protocol.Choice) protocol.Option {
	if !slices.ContainsFunc(choices, func(c protocol.Choice) bool { return c.Value == now }) {
		choices = append([]protocol.Choice{{Value: now, Name: now}}, choices...)
	}
	return protocol.Option{Type: "select", ID: id, Name: name, Description: description, Category: category, Current: now, Options: choices}
}

// setMode changes the approval mode.
func (s *Server) setMode(in protocol.SetModeRequest) wire.Work {
	return s.change(in.SessionID, func(*session) (event.Configure, error) {
		return event.Configure{ApprovalMode: &in.ModeID}, nil
	}, func(*session) any { return nil })
}

// setOption changes one of the settings.
func (s *Server) setOption(in protocol.SetOptionRequest) wire.Work {
	return s.change(in.SessionID, func(*session) (c event.Configure, err error) {
		var value string
		if json.Unmarshal(in.Value, &value) != nil {
			return c, wire.Errorf(wire.Arguments, "the value of %s is no text", in.ConfigID)
		}
		switch in.ConfigID {
		case modeOption:
			c.ApprovalMode = &value
		case modelOption:
			c.Model = &value
		case effortOption:
			c.Effort = &value
		default:
			return c, wire.Errorf(wire.Arguments, "there is no setting %q: there are %s, %s and %s", in.ConfigID, modeOption, modelOption, effortOption)
		}
		return c, nil
	}, func(one *session) any { return protocol.SetOptionResponse{Config: one.options()} })
}

// change changes settings of a session, and answers when they hold or why not.
func (s *Server) change(id string, read func(*session) (event.Configure, error), result func(*session) any) wire.Work {
	one, err := s.session(id)
	if err != nil {
		return answer(nil, err)
	}
	c, err := read(one)
	if err != nil {
		return answer(nil, err)
	}
	return func(ctx context.Context) (wire.Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, configureWait)
		defer cancel()
		if _, err := one.do(ctx, c, event.TypeSettings); err != nil {
			return wire.Answer{}, err
		}
		return wire.Answer{Result: result(one)}, nil
	}
}
