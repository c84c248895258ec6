package text

import "unicode"

// Script is the name of a writing system, empty where there is none.
type Script string

// The scripts that are told apart.
const (
	Latin      Script = "Latin"
	Cyrillic   Script = "Cyrillic"
	Greek      Script = "Greek"
	Arabic     Script = "Arabic"
	Hebrew     Script = "Hebrew"
	Devanagari Script = "Devanagari"
	Bengali    Script = "Bengali"
	Thai       Script = "Thai"
	Hangul     Script = "Hangul"
	Japanese   Script = "Japanese"
	Han        Script = "Han"
	Others     Script = "other"
)

// looked is how many letters decide about a script: the beginning of a long
// text tells enough.
const looked = 2000

// ScriptOf is the script most letters of the text are of. Han with kana among
// it is Japanese.
func ScriptOf(s string) Script {
	var n [scripts]int
	letters := 0
	for _, r := range s {
		at := place(r)
		if at < 0 {
			continue
		}
		n[at]++
		if letters++; letters == looked {
			break
		}
	}
	if n[kana] > 0 && n[kana]*10 >= n[han] {
		n[kana], n[han] = n[kana]+n[han], 0
	}
	best := 0
	for i := range n {
		if n[i] > n[best] {
			best = i
		}
	}
	if n[best] == 0 {
		return ""
	}
	return name(best)
}

// The places of the scripts where they are counted.
const (
	latin = iota
	cyrillic
	greek
	arabic
	hebrew
	devanagari
	bengali
	thai
	hangul
	kana
	han
	others
	scripts
)

func name(place int) Script {
	return [scripts]Script{
		Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Bengali, Thai, Hangul, Japanese, Han, Others,
	}[place]
}

// place is where a letter counts, -1 for what is no letter.
func place(r rune) int {
	switch {
	case r < 0x80:
		if r |= 0x20; r >= 'a' && r <= 'z' {
			return latin
		}
		return -1
	case !unicode.IsLetter(r):
		return -1
	case r < 0x250, r >= 0x1E00 && r < 0x1F00:
		return latin
	case r >= 0x370 && r < 0x400, r >= 0x1F00 && r < 0x2000:
		return greek
	case r >= 0x400 && r < 0x530:
		return cyrillic
	case r >= 0x590 && r < 0x600:
		return hebrew
	case r >= 0x600 && r < 0x780, r >= 0x8A0 && r < 0x900:
		return arabic
	case r >= 0x900 && r < 0x980:
		return devanagari
	case r >= 0x980 && r < 0xA00:
		return bengali
	case r >= 0xE00 && r < 0xE80:
		return thai
	case r >= 0x1100 && r < 0x1200, r >= 0xAC00 && r < 0xD7B0:
		return hangul
	case r >= 0x3040 && r < 0x3100:
		return kana
	case r >= 0x3400 && r < 0xA000, r >= 0xF900 && r < 0xFB00, r >= 0x20000 && r < 0x32000:
		return han
	}
	return others
}
