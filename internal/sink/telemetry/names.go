package telemetry

import "go.opentelemetry.io/otel/attribute"

// Names of the OpenTelemetry semantic conventions for generative AI, as of their
// repository semantic-conventions-genai in the autumn of 2026 (status
// development: they may change, and then change here alone).
const (
	operationName  = attribute.Key("gen_ai.operation.name")
	providerName   = attribute.Key("gen_ai.provider.name")
	requestModel   = attribute.Key("gen_ai.request.model")
	finishReasons  = attribute.Key("gen_ai.response.finish_reasons")
	responseID     = attribute.Key("gen_ai.response.id")
	inputTokens    = attribute.Key("gen_ai.usage.input_tokens")
	outputTokens   = attribute.Key("gen_ai.usage.output_tokens")
	cacheRead      = attribute.Key("gen_ai.usage.cache_read.input_tokens")
	cacheCreation  = attribute.Key("gen_ai.usage.cache_creation.input_tokens")
	tokenType      = attribute.Key("gen_ai.token.type")
	conversationID = attribute.Key("gen_ai.conversation.id")
	agentName      = attribute.Key("gen_ai.agent.name")
	agentVersion   = attribute.Key("gen_ai.agent.version")
	toolName       = attribute.Key("gen_ai.tool.name")
	toolType       = attribute.Key("gen_ai.tool.type")
	toolCallID     = attribute.Key("gen_ai.tool.call.id")
	toolArguments  = attribute.Key("gen_ai.tool.call.arguments")
	toolResult     = attribute.Key("gen_ai.tool.call.result")
	inputMessages  = attribute.Key("gen_ai.input.messages")
	outputMessages = attribute.Key("gen_ai.output.messages")
	errorType      = attribute.Key("error.type")
)

// Attributes of our own, for what the conventions have no name for.
const (
	callKind   = attribute.Key("ml_intern.call.kind")   // main, research, compaction, …
	attempts   = attribute.Key("ml_intern.call.tries")  // tries of one model call
	costUSD    = attribute.Key("ml_intern.cost_usd")    // absent when it is not known
	costSource = attribute.Key("ml_intern.cost_source") // where the price is from
	stopReason = attribute.Key("ml_intern.turn.stop_reason")
	turnNumber = attribute.Key("ml_intern.turn.id")
)

// Values of gen_ai.operation.name and others.
const (
	opInvokeAgent = "invoke_agent"
	opChat        = "chat"
	opExecuteTool = "execute_tool"
	typeFunction  = "function"
	typeInput     = "input"
	typeOutput    = "output"
	agent         = "ml-intern"
)

// Metrics.
const (
	metricTokens       = "gen_ai.client.token.usage"
	metricDuration     = "gen_ai.client.operation.duration"
	metricFirstChunk   = "gen_ai.client.operation.time_to_first_chunk"
	metricTurn         = "gen_ai.invoke_agent.duration"
	metricTurnCalls    = "gen_ai.invoke_agent.inference_calls"
	metricTurnTools    = "gen_ai.invoke_agent.tool_calls"
	metricTool         = "gen_ai.execute_tool.duration"
	metricCost         = "ml_intern.cost"
	instrumentingScope = "github.com/ml-intern/ml-intern"
)

// tokenBounds and timeBounds are the buckets that the conventions give.
func tokenBounds() []float64 {
	return []float64{1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864}
}

func timeBounds() []float64 {
	return []float64{0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92}
}
