package pii_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ml-intern/ml-intern/internal/lab/pii"
)

func TestFind(t *testing.T) {
	for in, want := range map[string]string{
		"Write to jane.doe@example.org or call +1 202 555 0143 for the key.":          "email:j***@***.org phone:+1 *** **43",
		"Please write to mira.holm@example.org or call +1 202 555 0117 before noon.":  "email:m***@***.org phone:+1 *** **17",
		"Set the variable to hf_EXAMPLEONLYNOTAREALTOKEN and run it again.":           "key:hf_***",
		"Export hf_ThisIsASimulatedTokenNotARealOne, then":                            "key:hf_***",
		"mailto:a_b+c@mail.example.co.uk.":                                            "email:a***@***.uk",
		"<x@y.de>,z-1@w.fr":                                                           "email:x***@***.de email:z***@***.fr",
		"Tel.: 030 / 123 45 67":                                                       "phone:*** *** **67",
		"phone 0612345678":                                                            "phone:*** *** **78",
		"(202) 555-0143 and 202-555-0143":                                             "phone:***-***-**43 phone:***-***-**43",
		"+4915112345678":                                                              "phone:+4 *** **78",
		"+33 6 12 34 56 78!":                                                          "phone:+3 *** **78",
		"from 84.17.203.9 at noon":                                                    "ip:84.*.*.*",
		"http://84.17.203.9:8080/x":                                                   "ip:84.*.*.*",
		"2a02:8109:9ac0:5f4:91b8:1c2d:3e4f:5a6b":                                      "ip:2a02:***",
		"AKIAIOSFODNN7EXAMPLE":                                                        "key:AKIA***",
		"ghp_0123456789abcdefghijABCDEFGHIJ012345":                                    "key:ghp_***",
		"sk-ant-" + strings.Repeat("aB3d", 8):                                         "key:sk-ant-***",
		"sk-aB3dEfGhIjKlMnOpQrStUv":                                                   "key:sk-***",
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abc":        "key:eyJ***",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter": "key:-----BEGIN RSA PRIVATE KEY-----***",
		"xoxb-0123456789-abcdefghijkl":                                                "key:xoxb-***",
	} {
		var got []string
		for _, m := range pii.Find(in) {
			got = append(got, string(m.Kind)+":"+m.Masked)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("Find(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestNothingFound are numbers, dates, versions and code that look alike.
func TestNothingFound(t *testing.T) {
	for _, in := range []string{
		"", "@", "a@b", "user@localhost", "@app.route('/x')", "git@github.com:org/repo.git", "icon@2x.png", "react@18.2.0",
		"pip install torch==2.1.0.1", "postgres://user:secret@db.example.com/x", "x = a @ b.T",
		"2024-01-31", "31.01.2024", "2024-01-31 12:30:45", "12:30:45", "1,234,567,890", "3.14159265358979", "0123456789",
		"1.2.3.4", "version 84.17.203.9", "v10.0.19041.1", "Chrome/91.0.44.124", "section 12.4.31.7", "127.0.0.1", "192.168.1.10", "10.0.0.7",
		"0.0.0.0:8080", "8.8.8.8", "255.255.255.0", "192.0.2.1", "999.1.1.1",
		"5 + 123456789012", "x+123456789012", "+12 %", "+1 point", "+0123456789", "a = +1234567890.5",
		"ISBN 978-3-16-148410-0", "1234-5678-9012-3456", "call 1234567 times", "call 2024-01-31", "phone 2024.01.31", "202-555-01434", "123-456-7890",
		"std::vector<int>", "a::b::c::d", "fe80::1", "::1", "00:1a:2b:3c:4d:5e", "2001:db8:1:2:3:4:5:6",
		"hf_dataset_audit", "hf_hub_download", "sk-circle-fade-dot-and-more-words", "sk-learn", "AKIA", "eyJ", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
		"-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "ghp_short", "Case 354472.", "Ticket 95230. run 4650", "1e+10 2e+123456789",
		"UTC+0200", "lr 1e-4 to +1e-5", "0.1.2.3", "84.17.203.9-rc1", "(123) 4567", "202 555 0143",
	} {
		if got := pii.Find(in); len(got) > 0 {
			t.Errorf("Find(%q) = %v", in, got)
		}
	}
}

func TestMask(t *testing.T) {
	in := "ask jane.doe@example.org or +1 202 555 0143 now"
	if got, want := pii.Mask(in), "ask j***@***.org or +1 *** **43 now"; got != want {
		t.Errorf("Mask = %q, want %q", got, want)
	}
	if pii.Mask("plain") != "plain" {
		t.Error("Mask changes what has nothing to hide")
	}
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"a@b.cc", "+1 202 555 0143", "84.17.203.9", "hf_EXAMPLEONLYNOTAREALTOKEN", "(202) 555-0143", "-----BEGIN X PRIVATE KEY", "2a02::", "tel 0", "call (1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		last := 0
		for _, m := range pii.Find(s) {
			if m.Start < last || m.End <= m.Start || m.End > len(s) {
				t.Fatalf("%v after %d", m, last)
			}
			if !slices.Contains(pii.Kinds(), m.Kind) || !strings.Contains(m.Masked, "*") {
				t.Fatalf("%v is not masked", m)
			}
			if raw := s[m.Start:m.End]; m.Kind != pii.Key && strings.Contains(m.Masked, raw) {
				t.Fatalf("%q gives away %q", m.Masked, raw)
			}
			last = m.End
		}
		pii.Mask(s)
	})
}
