package llm

import (
	"fmt"
	"time"
)

// Class sorts a failed model call by what can be done about it.
type Class string

// The classes of failure.
const (
	ClassMissingKey        Class = "missing_key"
	ClassBilling           Class = "billing"
	ClassRateLimit         Class = "rate_limit"
	ClassOverflow          Class = "context_overflow"
	ClassMaxTokensTooLarge Class = "max_tokens_too_large"
	ClassRequestTooLarge   Class = "request_too_large"
	ClassOverloaded        Class = "overloaded"
	ClassAuth              Class = "auth"
	ClassModelNotFound     Class = "model_not_found"
	ClassNotServing        Class = "provider_not_serving"
	ClassPermission        Class = "permission"
	ClassThinkingSignature Class = "thinking_signature"
	ClassReasoningMissing  Class = "reasoning_missing"
	ClassInvalidEffort     Class = "invalid_effort"
	ClassNoThinking        Class = "thinking_unsupported"
	ClassToolHistory       Class = "tool_history"
	ClassToolGeneration    Class = "tool_generation_failed"
	ClassTimeout           Class = "timeout"
	ClassNetwork           Class = "network"
	ClassServer            Class = "server"
	ClassMaxOutput         Class = "max_output"
	ClassInvalidRequest    Class = "invalid_request"
	ClassInternal          Class = "internal"
)

// Transient reports whether waiting and trying again may help.
func (c Class) Transient() bool {
	switch c {
	case ClassRateLimit, ClassOverloaded, ClassTimeout, ClassNetwork, ClassServer, ClassToolGeneration:
		return true
	}
	return false
}

// Fault is a failed model call. Its text is safe to show: adapters remove
// secrets before they build one.
type Fault struct {
	Class    Class
	Provider string // as in Info.Provider
	Model    string // the user's id
	// Status is the HTTP status, 0 when none was received.
	Status    int
	Type      string // the provider's error type
	Code      string // the provider's error code
	Param     string // the request parameter it complains about
	Message   string // the provider's text, at most 500 characters
	RequestID string
	// Wait is how long the provider asks to wait, 0 for no hint.
	Wait time.Duration
	// Retry overrides the default of the class when not nil.
	Retry *bool
	// Used and Limit are token counts read from an overflow text, 0 if absent.
	Used, Limit int
	// Supported are the effort levels the provider says it takes.
	Supported []Effort
	// AfterOutput says that visible text had been streamed before the failure.
	AfterOutput bool
	// Text is one sentence for a person; Hint says what to do next.
	Text string
	Hint string
	// Err is the cause, if there is one.
	Err error
}

// Error returns the sentence for a person, or the class and message.
func (f *Fault) Error() string {
	if f.Text != "" {
		return f.Text
	}
	if f.Status != 0 {
		return fmt.Sprintf("%s: %s (HTTP %d): %s", f.Provider, f.Class, f.Status, f.Message)
	}
	return fmt.Sprintf("%s: %s: %s", f.Provider, f.Class, f.Message)
}

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Retryable reports whether the call may be repeated unchanged after a wait.
func (f *Fault) Retryable() bool {
	if f.Class == ClassBilling {
		return false
	}
	if f.Retry != nil {
		return *f.Retry
	}
	return f.Class.Transient()
}
