package wire

import (
	"strings"

	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/name"
	"github.com/ml-intern/ml-intern/internal/adapter/hub/wire/words"
)

// The checks below guard what is put into addresses. Each names the field and
// the rule that was broken; its error is of Kind [Invalid], and no request is
// made.

// RepoType is the type of a repository.
type RepoType string

// The types.
const (
	Model   RepoType = "model"
	Dataset RepoType = "dataset"
	Space   RepoType = "space"
)

// Plural is the type in paths below /api: models, datasets, spaces.
func (t RepoType) Plural() string { return string(t) + "s" }

// Prefix is what stands before the id in the paths of pages and files: "",
// "/datasets" or "/spaces".
func (t RepoType) Prefix() string {
	if t == Model {
		return ""
	}
	return "/" + t.Plural()
}

// API is the path of a repository below /api, with further segments escaped.
// The id has been checked.
func (t RepoType) API(id string, more ...string) string {
	return Path(append([]string{"api", t.Plural()}, append(strings.Split(id, "/"), more...)...)...)
}

// Page is the path of a repository's page, with further segments escaped.
func (t RepoType) Page(id string, more ...string) string {
	return t.Prefix() + Path(append(strings.Split(id, "/"), more...)...)
}

// CheckType accepts the three types of repositories.
func CheckType(field string, t RepoType) error {
	switch t {
	case Model, Dataset, Space:
		return nil
	}
	return broken(field, string(t), "must be model, dataset or space")
}

// broken is the refusal of a name that breaks a rule; nil without a rule.
func broken(field, value, rule string) error {
	if rule == "" {
		return nil
	}
	return invalid("check "+field, "%s %q %s", field, words.Clip(value), rule)
}

// CheckRepoID accepts ids of repositories and buckets: "name" or "namespace/name".
func CheckRepoID(field, id string) error { return broken(field, id, name.RepoID(id)) }

// CheckFullRepoID accepts ids with a namespace only.
func CheckFullRepoID(field, id string) error { return broken(field, id, name.FullRepoID(id)) }

// CheckNamespace accepts names of users and organisations.
func CheckNamespace(field, s string) error { return broken(field, s, name.Namespace(s)) }

// CheckJobID accepts ids of jobs and scheduled jobs.
func CheckJobID(field, id string) error { return broken(field, id, name.JobID(id)) }

// CheckPath accepts the path of a file or folder in a repository.
func CheckPath(field, path string) error { return broken(field, path, name.Path(path)) }

// CheckRevision accepts what names a state of a repository: a branch, a tag, a commit,
// HEAD, refs/pr/N.
func CheckRevision(field, rev string) error { return broken(field, rev, name.Revision(rev)) }

// CheckBranch accepts names of branches that can be made or deleted.
func CheckBranch(field, s string) error { return broken(field, s, name.Branch(s)) }

// CheckTag accepts names of tags that can be made or deleted.
func CheckTag(field, s string) error { return broken(field, s, name.Tag(s)) }

// CheckLabel accepts a label's key or value.
func CheckLabel(field, s string) error { return broken(field, s, name.Label(s)) }

// CheckKey accepts names of secrets and variables.
func CheckKey(field, s string) error { return broken(field, s, name.Key(s)) }

// CheckHash accepts a commit (40 hex digits) or a SHA-256 (64), as size says.
func CheckHash(field, hash string, size int) error {
	return broken(field, hash, name.Hash(hash, size))
}

// Check accepts any single part of a path that follows no stricter rule, such
// as the slug of a collection.
func Check(field, s string) error { return broken(field, s, name.Part(s)) }

// IsWord reports whether s may be a label: also names of hardware and the like
// follow that rule.
func IsWord(s string) bool { return name.Label(s) == "" }
