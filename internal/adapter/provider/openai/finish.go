package openai

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ml-intern/ml-intern/internal/domain/llm"
)

// finish produces the last chunk.
func (d *decoder) finish() {
	done := llm.Done{
		Finish: llm.FinishStop, RawFinish: d.status, Explanation: d.refusal.String(),
		Usage: d.usage, CostUSD: d.cost, RequestID: d.requestID,
	}
	if d.status == "incomplete" {
		done.Finish, done.RawFinish = llm.FinishLength, d.reason
		if d.reason == "content_filter" {
			done.Finish = llm.FinishFiltered
		}
	}
	msg := llm.Message{Role: llm.Assistant, Text: d.text.String()}
	msg.SetOrigin(d.origin)
	var items []json.RawMessage
	for i, it := range d.items {
		if it.Type == "function_call" {
			last := i == len(d.items)-1
			if d.cut(it, last) {
				done.Cut = append(done.Cut, d.names.Own(it.Name))
				continue
			}
			msg.ToolCalls = append(msg.ToolCalls, d.calls(it)...)
		}
		if it.raw != nil {
			items = append(items, it.raw)
		}
	}
	if len(items) > 0 {
		msg.SetItems(items)
	}
	if len(msg.ToolCalls) > 0 && done.Finish == llm.FinishStop {
		done.Finish = llm.FinishTools
	}
	done.Overflow = strings.Contains(d.reason, "context_window") && msg.Empty()
	done.Message = msg
	d.out = append(d.out, done)
}

// cut reports whether a call broke off because the answer did.
func (d *decoder) cut(it *item, last bool) bool {
	if d.status != "incomplete" || json.Valid([]byte(it.arguments())) {
		return false
	}
	return last || it.Status == "incomplete"
}

// calls returns the call of an item, or the calls packed into it.
func (d *decoder) calls(it *item) []llm.ToolCall {
	if packed := d.unpack(it); packed != nil {
		return packed
	}
	id := it.CallID
	if id == "" {
		id = fmt.Sprintf("call_%s_%d", d.requestID, it.index)
	}
	return []llm.ToolCall{{ID: id, Name: d.names.Own(it.Name), Arguments: it.arguments()}}
}

// unpack expands a call of a tool that does not exist and that models invent
// to make several calls at once. Nil means it is not one.
func (d *decoder) unpack(it *item) []llm.ToolCall {
	known := slices.ContainsFunc(d.tools, func(t llm.ToolSpec) bool { return d.names.Wire(t.Name) == it.Name })
	if known || it.Name != "parallel" && it.Name != "multi_tool_use.parallel" {
		return nil
	}
	var in struct {
		Uses []struct {
			Name   string          `json:"recipient_name"`
			Params json.RawMessage `json:"parameters"`
		} `json:"tool_uses"`
	}
	if json.Unmarshal([]byte(it.arguments()), &in) != nil {
		return nil
	}
	var calls []llm.ToolCall
	for i, use := range in.Uses {
		calls = append(calls, llm.ToolCall{
			ID:   fmt.Sprintf("%s_%d", it.CallID, i+1),
			Name: d.names.Own(strings.TrimPrefix(use.Name, "functions.")), Arguments: string(use.Params),
		})
	}
	return calls
}
