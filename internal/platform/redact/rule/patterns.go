package rule

import "strings"

// Kind says what a secret is. Its order is the order of the two tables below.
type Kind uint8

const (
	kindNamed Kind = iota // the value of an assignment whose name says "secret"
	kindHeld              // an exact value this process holds
	kindHub
	kindProvider
	kindGitHub
	kindAWS
	kindBearer
	kindSlack
	kindGoogle
	kindJWT
	kindPrivateKey
	kindURL
	kindWebhook
	kindService // GitLab, npm, DigitalOcean and other prefixed tokens
	kindCount
)

// kindNames are the keys of a report; marks are what stands in the text
// instead of the secret. Every mark starts with markLead and ends with "]"
// (a bearer token keeps its scheme in front): the scanner relies on it to
// leave its own output alone.
var (
	kindNames = [kindCount]string{
		"named", "held", "hf_token", "provider_api_key", "github_token", "aws_key_id", "bearer",
		"slack_token", "google_key", "jwt", "private_key", "url_credentials", "webhook", "service_token",
	}
	marks = [kindCount]string{
		"[REDACTED]", "[REDACTED]", "[REDACTED_HF_TOKEN]", "[REDACTED_PROVIDER_API_KEY]",
		"[REDACTED_GITHUB_TOKEN]", "[REDACTED_AWS_KEY_ID]", "Bearer [REDACTED]",
		"[REDACTED_SLACK_TOKEN]", "[REDACTED_GOOGLE_KEY]", "[REDACTED_JWT]", "[REDACTED_PRIVATE_KEY]",
		"[REDACTED]", "[REDACTED]", "[REDACTED]",
	}
)

const markLead = "[REDACTED"

// Secret is the kind of what is known by its place.
const Secret = kindNamed

// String names the kind in reports.
func (k Kind) String() string { return kindNames[k] }

// Mark is what stands in the text instead of the secret.
func (k Kind) Mark() string { return marks[k] }

// prefix is a token that is known by how it starts: lead, then at least min
// bytes of class. All rules are greedy and look at nothing behind the run, so
// that a shorter run never matches where a longer one did not: that is what
// makes a second scrub find nothing new.
type prefix struct {
	lead  string
	class func(byte) bool
	min   int
	kind  Kind
	edge  bool // lead must not continue a word
	keep  bool // lead stays in the text, only the run behind it goes
}

var prefixes = []prefix{
	{lead: "ghp_", class: isAlnum, min: 36, kind: kindGitHub},
	{lead: "gho_", class: isAlnum, min: 36, kind: kindGitHub},
	{lead: "ghu_", class: isAlnum, min: 36, kind: kindGitHub},
	{lead: "ghs_", class: isAlnum, min: 36, kind: kindGitHub},
	{lead: "ghr_", class: isAlnum, min: 36, kind: kindGitHub},
	{lead: "github_pat_", class: isWord, min: 36, kind: kindGitHub},
	{lead: "AKIA", class: isUpperAlnum, min: 16, kind: kindAWS, edge: true},
	{lead: "ASIA", class: isUpperAlnum, min: 16, kind: kindAWS, edge: true},
	{lead: "AIza", class: isKeyByte, min: 35, kind: kindGoogle, edge: true},
	{lead: "xoxa-", class: isDashed, min: 10, kind: kindSlack},
	{lead: "xoxb-", class: isDashed, min: 10, kind: kindSlack},
	{lead: "xoxe-", class: isDashed, min: 10, kind: kindSlack},
	{lead: "xoxe.xox", class: isSlackRotated, min: 12, kind: kindSlack},
	{lead: "xoxp-", class: isDashed, min: 10, kind: kindSlack},
	{lead: "xoxr-", class: isDashed, min: 10, kind: kindSlack},
	{lead: "xoxs-", class: isDashed, min: 10, kind: kindSlack},
	{lead: "xapp-", class: isDashed, min: 10, kind: kindSlack},
	{lead: "glpat-", class: isKeyByte, min: 20, kind: kindService},
	{lead: "npm_", class: isAlnum, min: 36, kind: kindService},
	{lead: "dop_v1_", class: isHex, min: 40, kind: kindService},
	{lead: "gsk_", class: isAlnum, min: 40, kind: kindService, edge: true},
	{lead: "nvapi-", class: isKeyByte, min: 40, kind: kindService, edge: true},
	{lead: "pypi-AgE", class: isKeyByte, min: 40, kind: kindService, edge: true},
	{lead: "hooks.slack.com/services/", class: isPathByte, min: 20, kind: kindWebhook, keep: true},
	{lead: "hooks.slack.com/workflows/", class: isPathByte, min: 20, kind: kindWebhook, keep: true},
	{lead: "hooks.slack.com/triggers/", class: isPathByte, min: 20, kind: kindWebhook, keep: true},
	{lead: "discord.com/api/webhooks/", class: isPathByte, min: 20, kind: kindWebhook, keep: true},
	{lead: "discord.com/api/v9/webhooks/", class: isPathByte, min: 20, kind: kindWebhook, keep: true},
	{lead: "discord.com/api/v10/webhooks/", class: isPathByte, min: 20, kind: kindWebhook, keep: true},
	{lead: "discordapp.com/api/webhooks/", class: isPathByte, min: 20, kind: kindWebhook, keep: true},
	// .netrc, where Weights & Biases keeps its key of 40 hexadecimal digits.
	{lead: "password ", class: isHex, min: 32, kind: kindNamed, edge: true, keep: true},
}

// leads are the starts of the rules written as code in tokens.go. Together
// with the prefixes and the held values they feed the two-byte prefilter.
var leads = []string{"hf_", "sk-", "eyJ", "-----BEGIN ", "wandb"}

// bearerLead is matched in any case.
const bearerLead = "bearer"

// secretNames end the names whose values are secrets, in any case. One "_"
// may be a "-" or missing, which covers api-key, apiKey and accessKeyId.
var secretNames = []string{
	"token", "api_key", "secret", "password", "passwd", "access_key", "access_key_id",
	"private_key", "secret_key", "kaggle_key",
}

// modelTokens are the words before "token" that make a name a matter of
// tokenizers or counting, never a secret: pad_token, max_tokens, padToken.
var modelTokens = []string{
	"pad", "eos", "bos", "unk", "sep", "cls", "mask", "image", "audio", "video", "stop", "next", "num",
	"max", "special", "start", "end", "eot", "boi", "eoi",
}

// isSecretName reports whether a value assigned to name is a secret.
func isSecretName(name string) bool {
	if name == "" {
		return false
	}
	switch name[len(name)-1] | 0x20 {
	case 'n', 'y', 't', 'd':
	default:
		return false
	}
	for _, suffix := range secretNames {
		start, ok := hasNameSuffix(name, suffix)
		if ok {
			return suffix != "token" || !isModelToken(name[:start])
		}
	}
	return false
}

// hasNameSuffix reports whether name ends in suffix and where that begins.
func hasNameSuffix(name, suffix string) (int, bool) {
	i := len(name)
	for k := len(suffix) - 1; k >= 0; k-- {
		if suffix[k] == '_' {
			if i > 0 && (name[i-1] == '_' || name[i-1] == '-') {
				i--
			}
			continue
		}
		if i == 0 || lower(name[i-1]) != suffix[k] {
			return 0, false
		}
		i--
	}
	return i, true
}

// isModelToken looks at what stands before "token": "tokenizer.pad_", "eos",
// "myPad". The word has to be whole: "backend_" is not "end_".
func isModelToken(before string) bool {
	before = strings.TrimRight(before, "_-")
	for _, word := range modelTokens {
		start, ok := hasNameSuffix(before, word)
		if !ok {
			continue
		}
		camel := before[start] >= 'A' && before[start] <= 'Z'
		if start == 0 || !isLetter(before[start-1]) || (camel && before[start-1] >= 'a') {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}

func isLetter(c byte) bool     { return lower(c) >= 'a' && lower(c) <= 'z' }
func isDigit(c byte) bool      { return c >= '0' && c <= '9' }
func isAlnum(c byte) bool      { return isLetter(c) || isDigit(c) }
func isWord(c byte) bool       { return isAlnum(c) || c == '_' }
func isKeyByte(c byte) bool    { return isWord(c) || c == '-' }
func isDashed(c byte) bool     { return isAlnum(c) || c == '-' }
func isPathByte(c byte) bool   { return isKeyByte(c) || c == '/' }
func isDotted(c byte) bool     { return isKeyByte(c) || c == '.' }
func isBase64(c byte) bool     { return isAlnum(c) || c == '+' || c == '/' || c == '=' }
func isUpperAlnum(c byte) bool { return isDigit(c) || c >= 'A' && c <= 'Z' }
func isHex(c byte) bool        { return isDigit(c) || lower(c) >= 'a' && lower(c) <= 'f' }
func isBearer(c byte) bool {
	return isDotted(c) || c == '=' || c == '~' || c == '+' || c == '/'
}
func isSlackRotated(c byte) bool { return isDashed(c) || c == '.' }
func isBlank(c byte) bool        { return c == ' ' || c == '\t' }
func isSpace(c byte) bool        { return isBlank(c) || c == '\n' || c == '\r' || c == '\v' || c == '\f' }
func isQuote(c byte) bool        { return c == '"' || c == '\'' || c == '`' }
func isBlankOrQuote(c byte) bool { return isSpace(c) || isQuote(c) }
