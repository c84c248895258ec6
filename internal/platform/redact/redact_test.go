package redact_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-intern/ml-intern/internal/platform/redact"
)

// Bodies of made-up secrets. None was ever valid.
const (
	hubToken  = "hf_aBcDeFgHiJkLmNoPqRsTuVwXyZ01234567"
	jwt       = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	awsSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	hex40     = "0123456789abcdef0123456789abcdef01234567"
)

const pemKey = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8PbnGy0AHB7MhgwMbRvI0MBZhpI\nqqq7u0aVbKYAQ0m5b1Zc\n-----END RSA PRIVATE KEY-----"

var held = []string{"hf_simulated_alice", "p@ss/w0rd&more", "correct horse battery"}

func scrubber() *redact.Scrubber { return redact.New(redact.Options{Held: held}) }

// TestString is acceptance check 35 of the core and 31 of the command line,
// the pattern part: every kind goes, code about tokens stays.
func TestString(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"check 35 quoted", `HF_TOKEN="abc"`, `HF_TOKEN="[REDACTED]"`},
		{"check 35 json", `{"HF_TOKEN": "abc"}`, `{"HF_TOKEN": "[REDACTED]"}`},
		{"hub", "see " + hubToken + ".", "see [REDACTED_HF_TOKEN]."},
		{"hub oauth", "hf_oauth_" + strings.Repeat("a1", 15), "[REDACTED_HF_TOKEN]"},
		{"hub jwt whole", "hf_jwt_" + jwt + ".", "[REDACTED_HF_TOKEN]."},
		{"hub short is code", "hf_" + strings.Repeat("a", 29), "hf_" + strings.Repeat("a", 29)},
		{"anthropic", "sk-ant-" + strings.Repeat("a", 20), "[REDACTED_PROVIDER_API_KEY]"},
		{"openai", "sk-proj-" + strings.Repeat("Ab_-", 10), "[REDACTED_PROVIDER_API_KEY]"},
		{"short sk", "key sk-abcd1234efgh5678", "key [REDACTED_PROVIDER_API_KEY]"},
		{"glued escape", `a\nsk-ant-` + strings.Repeat("a", 20), `a\n[REDACTED_PROVIDER_API_KEY]`},
		{"github", "ghp_" + strings.Repeat("a", 36) + "\ngithub_pat_" + strings.Repeat("A_", 20), "[REDACTED_GITHUB_TOKEN]\n[REDACTED_GITHUB_TOKEN]"},
		{"aws", "AKIAIOSFODNN7EXAMPLE ASIAIOSFODNN7EXAMPLE", "[REDACTED_AWS_KEY_ID] [REDACTED_AWS_KEY_ID]"},
		{"aws in a word", "XAKIAIOSFODNN7EXAMPLE", "XAKIAIOSFODNN7EXAMPLE"},
		{"aws secret", "AWS_SECRET_ACCESS_KEY=" + awsSecret, "AWS_SECRET_ACCESS_KEY=[REDACTED]"},
		{"aws credentials file", "aws_secret_access_key = " + awsSecret, "aws_secret_access_key = [REDACTED]"},
		{"bearer", "authorization: bearer  abcdefghij.KLMNOPQRST-_=", "authorization: Bearer [REDACTED]"},
		{"bearer of a kind", "Bearer " + hubToken, "Bearer [REDACTED_HF_TOKEN]"},
		{"slack", "xoxb-1234567890-abcdefghij", "[REDACTED_SLACK_TOKEN]"},
		{"google", "AIza" + strings.Repeat("aB3_-", 7), "[REDACTED_GOOGLE_KEY]"},
		{"jwt", "cookie=" + jwt + ";", "cookie=[REDACTED_JWT];"},
		{"pem", "a\n" + pemKey + "\nb", "a\n[REDACTED_PRIVATE_KEY]\nb"},
		{"pem escaped", strings.ReplaceAll(pemKey, "\n", `\n`) + `\nb`, `[REDACTED_PRIVATE_KEY]\nb`},
		{"pem cut off", strings.TrimSuffix(pemKey, "\n-----END RSA PRIVATE KEY-----"), "[REDACTED_PRIVATE_KEY]"},
		{"pem after a name", "private_key: " + pemKey, "private_key: [REDACTED_PRIVATE_KEY]"},
		{"pem in prose", "the line -----BEGIN PRIVATE KEY----- starts it", "the line -----BEGIN PRIVATE KEY----- starts it"},
		{"public key", "-----BEGIN PUBLIC KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJ\n-----END PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJ\n-----END PUBLIC KEY-----"},
		{"url", "https://bob:hunter2@host.example/x", "https://bob:[REDACTED]@host.example/x"},
		{"url database", "postgres://u:p@ss@db:5432/x", "postgres://u:[REDACTED]@db:5432/x"},
		{"url token as user", "https://" + hex40 + ":x-oauth-basic@github.com/a/b", "https://[REDACTED]@github.com/a/b"},
		{"url without", "https://host:8080/a@b git@github.com:a/b https://git@github.com", "https://host:8080/a@b git@github.com:a/b https://git@github.com"},
		{"url template", `f"https://user:{token}@huggingface.co/x" https://u:$TOKEN@h`, `f"https://user:{token}@huggingface.co/x" https://u:$TOKEN@h`},
		{"url parameter", "https://h/x?access_token=abcdefgh&a=1", "https://h/x?access_token=[REDACTED]&a=1"},
		{"webhooks", "https://hooks.slack.com/services/T000/B000/abcdefghij0123456789 https://discord.com/api/webhooks/1234567890/abc-DEF_ghi", "https://hooks.slack.com/services/[REDACTED] https://discord.com/api/webhooks/[REDACTED]"},
		{"services", "glpat-" + strings.Repeat("a", 20) + " npm_" + strings.Repeat("a", 36) + " dop_v1_" + strings.Repeat("a", 64), "[REDACTED] [REDACTED] [REDACTED]"},
		{"wandb", "WANDB_API_KEY='" + hex40 + "' wandb login " + hex40 + "\nwandb.login(key=\"" + hex40 + `")`, "WANDB_API_KEY='[REDACTED]' wandb login [REDACTED]\nwandb.login(key=\"[REDACTED]\")"},
		{"wandb yaml", "wandb_api_key: a" + hex40[1:], "wandb_api_key: [REDACTED]"},
		{"wandb flag", "wandb login --relogin " + hex40, "wandb login --relogin [REDACTED]"},
		{"netrc", "machine api.wandb.ai login user password " + hex40, "machine api.wandb.ai login user password [REDACTED]"},
		{"kaggle", `{"username":"bob","key":"` + hex40[:32] + `"} KAGGLE_KEY=abc`, `{"username":"bob","key":"[REDACTED]"} KAGGLE_KEY=[REDACTED]`},
		{"digest stays", `{"key":"` + hex40[:32] + `"}`, `{"key":"` + hex40[:32] + `"}`},

		{"held", "a hf_simulated_alice b", "a [REDACTED] b"},
		{"held base64", "aGZfc2ltdWxhdGVkX2FsaWNl", "[REDACTED]"},
		{"held url", "x=p%40ss%2Fw0rd%26more p%40ss%2fw0rd%26more", "x=[REDACTED] [REDACTED]"},
		{"held with blanks", "my correct horse battery!", "my [REDACTED]!"},

		{"shell", "export HF_TOKEN=abc; DB_PASSWORD=x", "export HF_TOKEN=[REDACTED]; DB_PASSWORD=[REDACTED]"},
		{"shell and", "HF_TOKEN=abc&&python x", "HF_TOKEN=[REDACTED]&&python x"},
		{"single quotes", "WANDB_API_KEY='x'", "WANDB_API_KEY='[REDACTED]'"},
		{"blanks stay", "hf_token  =  'abc'", "hf_token  =  '[REDACTED]'"},
		{"colon stays", `password: "x y"`, `password: "[REDACTED]"`},
		{"environ", `os.environ["HF_TOKEN"] = "abc"`, `os.environ["HF_TOKEN"] = "[REDACTED]"`},
		{"nested escapes", `{\"HF_TOKEN\": \"abc\", \"a\": 1}`, `{\"HF_TOKEN\": \"[REDACTED]\", \"a\": 1}`},
		{"escaped quote inside", `PASSWORD="a\"b" c`, `PASSWORD="[REDACTED]" c`},
		{"camel", `apiKey: "abc", accessKeyId = 'q'`, `apiKey: "[REDACTED]", accessKeyId = '[REDACTED]'`},
		{"header", "X-Api-Key: 12ab34cd!", "X-Api-Key: [REDACTED]"},
		{"annotated", `token: Optional[str] = "abc"`, `token: Optional[str] = "[REDACTED]"`},
		{"bytes", `secret = b"abc"`, `secret = b"[REDACTED]"`},
		{"triple", `secret = """abc"""`, `secret = """[REDACTED]"""`},
		{"triple unclosed", "secret = \"\"\"abc", "secret = \"\"\"[REDACTED]"},
		{"slack rotated", "xoxe.xoxp-1-Mi0yLTEyMzQ1Njc4", "[REDACTED_SLACK_TOKEN]"},
		{"quoted bearer", `auth_token: "Bearer abcdefghij.KLMNOPQRST"`, `auth_token: "Bearer [REDACTED]"`},
		{"quoted parentheses", `password="a(b)c"`, `password="[REDACTED]"`},
		{"go", `token := "abc"`, `token := "[REDACTED]"`},
		{"ruby", `"password" => "abc"`, `"password" => "[REDACTED]"`},
		{"unclosed", `HF_TOKEN="abc`, `HF_TOKEN="[REDACTED]`},
		{"unquoted literal", "password: s3cr3t-word", "password: [REDACTED]"},
		{"argument", `f(token="abc", x=1)`, `f(token="[REDACTED]", x=1)`},
		{"word with end in it", `backend_token="abc"`, `backend_token="[REDACTED]"`},
		{"line ends in a string", `"HF_TOKEN=abc\nA=1"`, `"HF_TOKEN=[REDACTED]\nA=1"`},
	}
	s := scrubber()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, n := s.String(tt.in)
			if got != tt.want {
				t.Fatalf("String(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
			if (n > 0) != (tt.in != tt.want) {
				t.Errorf("String(%q) counts %d", tt.in, n)
			}
			if again, n := s.String(got); again != got || n != 0 {
				t.Errorf("a second scrub of %q gives %q, %d", got, again, n)
			}
			if got := stream(s, tt.in, 1); got != tt.want {
				t.Errorf("byte by byte: got %q want %q", got, tt.want)
			}
		})
	}
}

// TestCodeStays: a session about machine learning speaks of tokens all day.
func TestCodeStays(t *testing.T) {
	s := scrubber()
	for _, code := range []string{
		`tokenizer.pad_token = tokenizer.eos_token`, `push_to_hub(token=token)`, `max_tokens=100`,
		`from huggingface_hub import hf_hub_download`, `token=os.environ["HF_TOKEN"]`, `HF_TOKEN=$HF_TOKEN`,
		`HF_TOKEN="$HF_TOKEN" python x.py`, `HF_TOKEN=${HF_TOKEN:-}`, `HF_TOKEN=$(cat ~/.token)`, `api_key = get_key()`,
		`tokenizer.pad_token = "<|endoftext|>"`, `tok.add_special_tokens({"pad_token": "[PAD]"})`, `eos_token="</s>"`,
		`max_new_tokens: 12345678`, `num_token=12345678`, `next_token = "abc"`, `additional_special_token="x"`,
		`def f(token: Optional[str] = None, private: bool = True)`, `def f(token:str=None)`, `token: str | None = None`,
		`if token == "abc":`, `token != "abc"`, `Token::Word`, `token = tokens[0]`, `token=data["token"]`, `TOKEN=data["token"]`,
		`token = self.tokenizer.convert_ids_to_tokens(i)`, `login(token=args.hub_token)`, `hub_token=training_args.hub_token,`,
		`cost_per_token: 0.0000025`, `"usd_per_token": "2.5e-06"`, `image_token = "<image>"`, `bos_token: '<s>'`,
		`Token: https://huggingface.co/settings/tokens`, `f"HF_TOKEN={token}"`, `secret: ${{ secrets.HF_TOKEN }}`,
		"scikit-learn sk-learn task-sk-learn sk-learn-pipeline", "disk-" + strings.Repeat("ab-", 20), `password=None`, `HF_TOKEN=`,
		`token_type_ids=x, token_classification: "abc"`, `"token": {"type": "string"}`, `secrets={"HF_TOKEN": "$HF_TOKEN"}`,
		`password = getpass.getpass("Password: ")`, `password = "getpass()"`, `x = input("Token: ") + f("b")`, `url = "?token=" + token + "&x="`, `log("token=", token, "x")`, `u = "token="+tok+"&a"`, `padToken: "x", tokenizer.maxToken="y"`,
		"https://huggingface.co/docs?x=1#token", "a[i] = [REDACT", `token = config["token"]`, "commit " + hex40,
		`os.getenv("HF_TOKEN")`, `my_token: 1234567890`, `secret=f"{x}-abc"`, `password="{{ vault }}"`, `script: "x password="`, `token="null"`, `token=True`, "HF_TOKEN=`cat f`", `assert password is not None`, `Secret: 这是一个很长的句子没有空格的`,
	} {
		if got, n := s.String(code); got != code || n != 0 {
			t.Errorf("String(%q) = %q, %d", code, got, n)
		}
		if got := stream(s, code, 3); got != code {
			t.Errorf("stream of %q = %q", code, got)
		}
	}
}

const keyLine = "MIIEowIBAAKCAQEAn0nr/KQ+x8mPqZ3Yk1hV5bLw2dCj7tRsUe6GaF9oXiTuNMyB"

// TestTornKeys: of a private key whose BEGIN line was cut off, the END line
// takes the lines of base64 above it.
func TestTornKeys(t *testing.T) {
	const end = "-----END RSA PRIVATE KEY-----"
	const mark = "[REDACTED_PRIVATE_KEY]"
	body := strings.Repeat(keyLine+"\n", 3) + "abc="
	numbered := "     7\tHello there\n"
	for i, line := range strings.Split(body, "\n") {
		numbered += fmt.Sprintf("%6d\t%s\n", i+8, line)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"alone", body + "\n" + end + "\nx", mark + "\nx"},
		{"behind text", "[4 KiB not shown]\n" + body + "\n" + end, "[4 KiB not shown]\n" + mark},
		{"torn first line", "the rest:\n" + keyLine[40:] + "\n" + keyLine + "\n" + end, "the rest:\n" + mark},
		{"carriage returns", strings.ReplaceAll(body, "\n", "\r\n") + "\r\n" + end, mark},
		{"escaped", strings.ReplaceAll(body, "\n", `\n`) + `\n` + end + `\n"}`, mark + `\n"}`},
		{"twice escaped", strings.ReplaceAll(body, "\n", `\\r\\n`) + `\\r\\n` + end, mark},
		{"indented", "key: |\n    " + strings.ReplaceAll(body, "\n", "\n    ") + "\n    " + end, "key: |\n    " + mark},
		{"quoted lines", `"` + strings.ReplaceAll(body, "\n", `\n"`+"\n\t\"") + `\n"` + "\n\t\"" + end, `"` + mark},
		{"numbered lines", numbered + "    12\t" + end, "     7\tHello there\n     8\t" + mark},
		{"PGP checksum", keyLine + "\nabcd\n=njUN\n-----END PGP PRIVATE KEY BLOCK-----", mark},
		{"behind a mark", "[REDACTED]\n" + keyLine + "\n" + end, "[REDACTED]\n" + mark},
		{"after a whole key", pemKey + "\n" + keyLine + "\n" + end, mark + "\n" + mark},
		{"no line", "it ends with\n" + end, "it ends with\n" + end},
		{"prose", "One word\nHello\n" + end, "One word\nHello\n" + end},
		{"a certificate", keyLine + "\n-----END CERTIFICATE-----", keyLine + "\n-----END CERTIFICATE-----"},
		{"no END line", keyLine + "\n" + keyLine + "\n----- END", keyLine + "\n" + keyLine + "\n----- END"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := scrubber()
			got, _ := s.String(tt.in)
			if got != tt.want {
				t.Errorf("String(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
			if again, n := s.String(got); again != got || n != 0 {
				t.Errorf("a second scrub of %q gives %q, %d", got, again, n)
			}
			for _, n := range []int{1, 7, 64} {
				if st := stream(s, tt.in, n); st != got {
					t.Errorf("a stream of %d bytes each\n got %q\nwant %q", n, st, got)
				}
			}
		})
	}
}

// TestLongTornKeys: base64 without end is not held for ever, and what a stream
// takes of it is what a scrub of the whole takes.
func TestLongTornKeys(t *testing.T) {
	const end = "-----END PRIVATE KEY-----"
	s := scrubber()
	for name, in := range map[string]string{
		"lines":     strings.Repeat(keyLine+"\n", 1000) + end,
		"numbered":  strings.Repeat("\n   12\t"+keyLine, 1000) + "\n" + end,
		"one line":  strings.Repeat(keyLine, 1000) + "\n" + end,
		"near edge": strings.Repeat("a", 17<<10) + "\n" + strings.Repeat(keyLine+"\n", 10) + end,
	} {
		want, _ := s.String(in)
		var b strings.Builder
		st := s.Stream()
		for i := 0; i < len(in); i += 100 {
			b.WriteString(st.Feed(in[i:min(len(in), i+100)]))
			if held := i + 100 - b.Len(); held > 32<<10+100 {
				t.Fatalf("%s: %d bytes are held", name, held)
			}
		}
		b.WriteString(st.Flush())
		if b.String() != want {
			t.Errorf("%s: stream gives %d bytes, whole %d", name, b.Len(), len(want))
		}
		if again, n := s.String(want); again != want || n != 0 {
			t.Errorf("%s: a second scrub finds %d", name, n)
		}
	}
}

func TestReport(t *testing.T) {
	_, counts := scrubber().Report(hubToken + " " + hubToken + ` PASSWORD="x" hf_simulated_alice`)
	if diff := cmp.Diff(map[string]int{"hf_token": 2, "named": 1, "held": 1}, counts); diff != "" {
		t.Error(diff)
	}
}

func TestHeld(t *testing.T) {
	s := redact.New(redact.Options{Held: []string{"", "short", "  padded-value\n", "ends-with[", "quo\"te\nline", "\xff\xff\xff\xff\xff\xff\xff\xff"}})
	for in, want := range map[string]string{
		"short stays":                      "short stays",
		"a padded-value":                   "a [REDACTED]",
		"padded-value!":                    "[REDACTED]!",
		"ends-with[REDACTED]":              "ends-with[REDACTED]",
		"ends-with[x":                      "[REDACTED]x",
		`{"a":"quo\"te\nline"}`:            `{"a":"[REDACTED]"}`,
		"quo\"te\nline":                    "[REDACTED]",
		"\xff\xff\xff\xff\xff\xff\xff\xff": "\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		if got, _ := s.String(in); got != want {
			t.Errorf("String(%q) = %q, want %q", in, got, want)
		}
	}
	more := s.With("another-value")
	if got, _ := more.String("another-value padded-value"); got != "[REDACTED] [REDACTED]" {
		t.Errorf("With: %q", got)
	}
	if got, _ := s.String("another-value"); got != "another-value" {
		t.Errorf("With changed its receiver: %q", got)
	}
	overlap := redact.New(redact.Options{Held: []string{"aaaabbbb-cccc", "cccc-dddddddd"}})
	if got, _ := overlap.String("x aaaabbbb-cccc-dddddddd y"); got != "x [REDACTED] y" {
		t.Errorf("overlap: %q", got)
	}
}

func TestLongSecrets(t *testing.T) {
	s := scrubber()
	body := strings.Repeat("Ab3", 20_000)
	for _, in := range []string{"a hf_" + body + " b", "a HF_TOKEN=" + body + " b", `a HF_TOKEN="` + body + `" b`} {
		got, n := s.String(in)
		if n != 1 || strings.Contains(got, "Ab3") || !strings.HasSuffix(got, " b") {
			t.Errorf("%d replacements, %d bytes left", n, len(got))
		}
		if st := stream(s, in, 1000); st != got {
			t.Errorf("stream gives %d bytes, whole %d", len(st), len(got))
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	s := scrubber()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if got, _ := s.With("x-y-z-1-2-3").String(hubToken + " x-y-z-1-2-3"); got != "[REDACTED_HF_TOKEN] [REDACTED]" {
					t.Error(got)
				}
			}
		})
	}
	wg.Wait()
}

// seeded is one made-up secret and, where it has no shape of its own, the name
// it needs.
type seeded struct{ kind, value, name string }

func seeds() []seeded {
	r := rand.New(rand.NewPCG(1, 2))
	from := func(alphabet string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	const upper, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
	alnum := upper + strings.ToLower(upper) + digits
	var all []seeded
	for range 3 {
		all = append(all, []seeded{
			{"hub", "hf_" + from(alnum, 34), ""},
			{"hub oauth", "hf_oauth_" + from(alnum, 32), ""},
			{"anthropic", "sk-ant-api03-" + from(alnum+"_-", 80), ""},
			{"openai", "sk-proj-" + from(alnum, 48), ""},
			{"github", "gh" + from("pousr", 1) + "_" + from(alnum, 36), ""},
			{"github pat", "github_pat_" + from(alnum+"_", 60), ""},
			{"aws id", "AKIA" + from(upper+digits, 16), ""},
			{"aws secret", from(alnum, 20) + "/" + from(alnum, 19), "AWS_SECRET_ACCESS_KEY"},
			{"slack", "xox" + from("abeprs", 1) + "-" + from(digits, 11) + "-" + from(alnum, 24), ""},
			{"google", "AIza" + from(alnum+"_-", 35), ""},
			{"jwt", "eyJ" + from(alnum, 30) + ".eyJ" + from(alnum, 40) + "." + from(alnum+"_-", 43), ""},
			{"wandb", from("abcdef"+digits, 40), "WANDB_API_KEY"},
			{"kaggle", from("abcdef"+digits, 32), "KAGGLE_KEY"},
			{"gitlab", "glpat-" + from(alnum, 20), ""},
			{"npm", "npm_" + from(alnum, 36), ""},
			{"digitalocean", "dop_v1_" + from("abcdef"+digits, 64), ""},
			{"named", from(alnum, 10) + "!" + from(alnum, 4), "DB_PASSWORD"},
		}...)
	}
	return all
}

func quote(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSeededSecrets puts 51 secrets of all kinds into every place a session
// has for them; none may come out, in one piece, in JSON or from a stream.
func TestSeededSecrets(t *testing.T) {
	s := scrubber()
	all := seeds()
	if len(all) < 50 {
		t.Fatalf("%d secrets", len(all))
	}
	for i, sec := range all {
		name := sec.name
		if name == "" {
			name = "MY_VALUE" // says nothing: the shape has to be enough
		}
		arguments := quote(t, map[string]string{name: sec.value, "other": "x"})
		contexts := map[string]string{
			"shell":        "export " + name + "=" + sec.value + "\npython train.py",
			"shell quotes": name + "='" + sec.value + "' python train.py",
			"python":       "    " + name + ` = "` + sec.value + `"  # key`,
			"environ":      `os.environ["` + name + `"] = "` + sec.value + `"`,
			"argument":     "f(" + strings.ToLower(name) + `="` + sec.value + `", n=1)`,
			"yaml":         strings.ToLower(name) + `: "` + sec.value + `"`,
			"url":          "git clone https://user:" + strings.ReplaceAll(sec.value, "/", "%2F") + "@huggingface.co/a/b",
			"arguments":    arguments,
		}
		if sec.name == "" {
			contexts["plain"] = "my token is " + sec.value + ", keep it"
			contexts["brackets"] = "(" + sec.value + ")"
			contexts["query"] = "https://host/x?y=" + sec.value + "&z=1"
			contexts["line"] = sec.value
		}
		for where, text := range contexts {
			label := fmt.Sprintf("%d %s in %s", i, sec.kind, where)
			secret := sec.value
			if where == "url" {
				secret = strings.ReplaceAll(secret, "/", "%2F")
			}
			clean := func(form, got string) {
				t.Helper()
				if strings.Contains(got, secret) || strings.Contains(got, secret[len(secret)-8:]) {
					t.Errorf("%s, %s: %q", label, form, got)
				}
			}
			got, n := s.String(text)
			clean("text", got)
			if n != 1 {
				t.Errorf("%s: %d replacements in %q", label, n, got)
			}
			clean("stream", stream(s, text, 1+i%5))
			doc := quote(t, map[string]any{"content": text, "n": 1.50})
			nested := quote(t, map[string]any{"function": map[string]any{"arguments": quote(t, map[string]string{"command": text})}})
			event := quote(t, map[string]any{"text": nested})
			for form, raw := range map[string]string{"json": doc, "nested json": nested, "deeper json": event} {
				out, n, err := s.JSON([]byte(raw))
				if err != nil || n == 0 || !json.Valid(out) {
					t.Fatalf("%s, %s: n=%d err=%v %s", label, form, n, err, out)
				}
				clean(form, string(out))
				clean(form+" as text", first(s.String(raw)))
			}
		}
	}
}

func first(text string, _ int) string { return text }

// stream feeds text in pieces of n bytes.
func stream(s *redact.Scrubber, text string, n int) string {
	var b strings.Builder
	st := s.Stream()
	for len(text) > 0 {
		k := min(n, len(text))
		b.WriteString(st.Feed(text[:k]))
		text = text[k:]
	}
	b.WriteString(st.Flush())
	return b.String()
}

// pieces are what texts in the property tests are made of: secrets, parts of
// secrets, names, separators and marks, so that they meet at every seam.
var pieces = []string{
	hubToken, "hf_", "hf_oauth_", "sk-", "sk-ant-", "sk-abcd1234efgh5678", strings.Repeat("a1B", 14), "ghp_", "AKIA", "IOSFODNN7EXAMPLE",
	"Bearer ", "bearer", "xoxb-", "1234567890-abc", "AIza", jwt, "eyJ", ".", pemKey, "-----BEGIN PRIVATE KEY-----", "\n", `\n`,
	"-----END PRIVATE KEY-----", "https://", "user:", "pw@", "host/", "@", "/", "?", "&", "HF_TOKEN", "token", "pad_token", "password",
	"api_key", "max_tokens", "=", ":", " = ", ": ", ":=", "=>", `"`, `\"`, "'", "`", "\\", "$X", "f(", ")", "os.environ[", "]", "[", "abc",
	"12345678", "x-y-z-long-value", "None", ",", ";", " ", "  ", "\t", "[REDACTED]", "[REDACTED_JWT]", "[REDACTED", "Optional[str]", "f\"{x}\"",
	"hf_simulated_alice", "hf_simul", "p@ss/w0rd&more", "correct horse battery", "correct horse ", "aGZfc2ltdWxhdGVkX2FsaWNl", "é", "世", "*", "**",
	keyLine, keyLine + "\n", "=abcd", "\r\n", "\n   12\t", "\n1:", "-----END ", "-----END PGP PRIVATE KEY BLOCK-----",
	"wandb login ", "wandb.login(key=", hex40, "password ", `"username": "b", `, `"key"`, "hooks.slack.com/services/", "-", "_", "{", "}", "<", ">",
}

// keyPieces are what torn keys are made of.
var keyPieces = []string{
	keyLine, keyLine + "\n", keyLine + `\n`, keyLine[:15], keyLine[:16], "abc=", "=abcd", "=", "n", "r", "7", "12345678", "\n", "\n", "\r\n", `\n`, `\r\n`, `\\n`,
	"\\", `"`, "'", " ", "\t", ":", "|", ">", "-", "\n   12\t", "\n1:", strings.Repeat(" ", 130), "-----END PRIVATE KEY-----", "\n-----END PRIVATE KEY-----", "-----END ",
	"-----BEGIN PRIVATE KEY-----", "-----END X-----", "[REDACTED]", hubToken, "HF_TOKEN=", "AKIA", "x-y-z-long-value", "é",
}

func texts() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		from := rapid.SampledFrom([][]string{pieces, keyPieces}).Draw(t, "from")
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(from), 0, 14).Draw(t, "pieces"), "")
	})
}

func TestTwiceIsOnce(t *testing.T) {
	s := scrubber()
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		once, _ := s.String(text)
		twice, n := s.String(once)
		if once != twice || n != 0 {
			t.Fatalf("%q\n once %q\ntwice %q (%d)", text, once, twice, n)
		}
		if !utf8.ValidString(once) {
			t.Fatalf("%q is not UTF-8", once)
		}
	})
}

func TestStreamEqualsWhole(t *testing.T) {
	s := scrubber()
	rapid.Check(t, func(t *rapid.T) {
		text := texts().Draw(t, "text")
		want, _ := s.String(text)
		var b strings.Builder
		st := s.Stream()
		for rest := text; rest != ""; {
			k := rapid.IntRange(1, min(len(rest), 40)).Draw(t, "cut")
			b.WriteString(st.Feed(rest[:k]))
			rest = rest[k:]
		}
		b.WriteString(st.Flush())
		if b.String() != want {
			t.Fatalf("%q\nstream %q\n whole %q", text, b.String(), want)
		}
	})
}

// TestStreamHolds: text flows at once unless a secret may have begun in it.
func TestStreamHolds(t *testing.T) {
	tests := []struct{ feed, shown []string }{
		{[]string{"Hello ", "world, ", "fine.\n"}, []string{"Hello ", "world, ", "fine.\n", ""}},
		{[]string{"key hf_abc", "def ok"}, []string{"key ", "hf_abcdef ok", ""}},
		{[]string{"key " + hubToken[:10], hubToken[10:], "\n"}, []string{"key ", "", "[REDACTED_HF_TOKEN]\n", ""}},
		{[]string{"export HF_TOKEN=", "ab", "c\nok."}, []string{"export HF_TOKEN", "", "=[REDACTED]\nok.", ""}},
		// A line of base64 may end a private key: so may the first word of a line, until a blank ends it.
		{[]string{"one\n", "Hel", "lo", " all"}, []string{"one\n", "", "", "Hello all", ""}},
		{[]string{keyLine + "\n", "abc=\n", "--", "- y"}, []string{"", "", "", keyLine + "\nabc=\n--- y", ""}},
		{[]string{"x hf_simul", "ated_alice y"}, []string{"x ", "[REDACTED] y", ""}},
		{[]string{"x hf_simul", "ation y"}, []string{"x ", "hf_simulation y", ""}},
		{[]string{"max_tokens=", "100 "}, []string{"max_tokens=", "100 ", ""}},
		{[]string{"end hf_abc"}, []string{"end ", "hf_abc"}},
	}
	for _, tt := range tests {
		st := scrubber().Stream()
		var got []string
		for _, delta := range tt.feed {
			got = append(got, st.Feed(delta))
		}
		got = append(got, st.Flush())
		if diff := cmp.Diff(tt.shown, got); diff != "" {
			t.Errorf("%q: %s", tt.feed, diff)
		}
	}
}

// TestStreamIsBounded: a secret without an end is not held for ever.
func TestStreamIsBounded(t *testing.T) {
	st := scrubber().Stream()
	in, out := 0, 0
	st.Feed("hf_")
	for range 100 {
		in += 1000
		out += len(st.Feed(strings.Repeat("a", 1000)))
	}
	if out == 0 {
		t.Fatalf("all %d bytes are held", in)
	}
	if got := st.Feed(" next") + st.Flush(); got != " next" {
		t.Errorf("after the secret: %q", got)
	}
}
