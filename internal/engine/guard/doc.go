// Package guard watches a turn for ways in which a model gets stuck: calls
// repeated without effect, arguments that never parse, a plan left unfinished,
// answers cut off or empty. Each guard looks at the newest messages only and
// answers with a text for the model; whether and how it is said is the turn's
// affair. The package knows no model, no tool and no session.
package guard
