package guard

import (
	"fmt"
	"strings"
)

// EmptyReply nudges a model that answered with neither text nor calls.
func EmptyReply() string {
	return "[SYSTEM: EMPTY REPLY] Your last reply was empty. Go on with the task: call a tool, or answer in words. " +
		"If the task is done, say what was achieved and where the results are."
}

// EmptyResponse is the final response of a turn whose replies stayed empty.
func EmptyResponse() string {
	return "The model gave no answer, even when asked again. Send a message to try once more, or switch the model."
}

// Closing asks for the last answer after limit model calls.
func Closing(limit int) string {
	return fmt.Sprintf("[SYSTEM: ITERATION LIMIT] The limit of %s for this task is reached; no more tools will run. "+
		"Write a status summary now: what is done and how it was checked, what is left, "+
		"where the results are (paths, repositories, URLs, job ids), what is still running, and the next step.", count(limit, "model call"))
}

// Refusal is the result of a call that was not run because it only repeats.
func Refusal(pattern string) string {
	return fmt.Sprintf("ERROR: Not run. This repeats %s, which has brought the same result several times in this turn. "+
		"Try something different: other arguments, another tool, a closer look at the last result, or tell the user what is in the way.", pattern)
}

// DoomLoop is the final response of a turn that was ended for repeating itself.
func DoomLoop(pattern string, hits int) string {
	return fmt.Sprintf("Stopped: the agent kept repeating %s with the same result and did not change course after %s. "+
		"Nothing is lost; say how to go on, for example with a different approach or the missing information.", pattern, count(hits-1, "warning"))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// quoted lists names in single quotes: 'a', 'b' and 'c'.
func quoted(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = "'" + name + "'"
	}
	if n := len(list); n > 1 {
		return strings.Join(list[:n-1], ", ") + " and " + list[n-1]
	}
	return strings.Join(list, "")
}
