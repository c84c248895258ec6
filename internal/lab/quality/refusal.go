package quality

import "strings"

// opening is how far into an answer a refusal begins, in bytes.
const opening = 240

// Refuses reports whether an answer in normal form is a refusal of a stock
// form, in one of the more common languages of such data.
func (l *Looker) Refuses(normal string) bool {
	s := normal
	if len(s) > opening {
		s = s[:opening]
	}
	if strings.Contains(s, "’") {
		s = strings.ReplaceAll(s, "’", "'")
	}
	for _, phrase := range l.whole {
		if strings.Contains(s, phrase) {
			return true
		}
	}
	for _, p := range l.halves {
		if _, rest, ok := strings.Cut(s, p[0]); ok && strings.Contains(rest, p[1]) {
			return true
		}
	}
	return false
}

// whole is the phrases that are a refusal by themselves.
func whole() []string {
	return []string{
		"as an ai language model", "as a large language model", "as an ai assistant, i can", "as an ai, i can't", "as an ai, i cannot",
		"i can't assist with that", "i cannot assist with", "i can't help with that", "i cannot help with that", "i can't fulfill", "i cannot fulfill",
		"i'm not able to help with that", "i am not able to assist", "i'm unable to assist", "i am unable to assist", "i'm unable to help",
		"i cannot provide assistance", "i must decline", "i won't be able to help with",
		"als ki-sprachmodell", "als ki-modell kann ich", "als sprachmodell kann ich",
		"en tant que modèle de langage", "en tant qu'ia", "en tant qu'intelligence artificielle",
		"como modelo de lenguaje", "como modelo de linguagem", "como una inteligencia artificial, no puedo",
		"come modello linguistico", "come modello di linguaggio",
		"как языковая модель", "как искусственный интеллект",
		"作为一个人工智能", "作为人工智能", "作为ai语言模型", "作为一个ai", "作为一个语言模型",
		"言語モデルとして", "aiとして、", "aiモデルとして",
		"ai 언어 모델로서", "인공지능 언어 모델",
		"sebagai model bahasa", "bir yapay zeka dil modeli olarak", "jako model językowy", "als taalmodel",
	}
}

// halves is the refusals that begin politely and then say no.
func halves() [][2]string {
	return [][2]string{
		{"i'm sorry, but i ", "can't"},
		{"i'm sorry, but i ", "cannot"},
		{"i'm sorry, but i", "not able"},
		{"i'm sorry, but i", "unable"},
		{"i am sorry, but i ", "cannot"},
		{"i apologize, but i ", "cannot"},
		{"i apologize, but i ", "can't"},
		{"sorry, i can't", "help"},
		{"sorry, i can't", "assist"},
		{"es tut mir leid", "kann ich"},
		{"es tut mir leid", "ich kann"},
		{"tut mir leid, aber", "nicht"},
		{"je suis désolé", "je ne peux pas"},
		{"je suis désolée", "je ne peux pas"},
		{"désolé, mais je", "ne peux"},
		{"lo siento", "no puedo"},
		{"desculpe", "não posso"},
		{"sinto muito", "não posso"},
		{"mi dispiace", "non posso"},
		{"извините", "не могу"},
		{"к сожалению, я", "не могу"},
		{"przepraszam", "nie mogę"},
		{"het spijt me", "kan ik"},
		{"抱歉", "我无法"},
		{"抱歉", "我不能"},
		{"对不起", "我无法"},
		{"对不起", "我不能"},
		{"申し訳ありません", "できません"},
		{"申し訳ございません", "できません"},
		{"죄송합니다", "수 없습니다"},
		{"죄송하지만", "수 없습니다"},
		{"عذر", "لا أستطيع"},
		{"آسف", "لا أستطيع"},
		{"क्षमा करें", "नहीं"},
		{"maaf", "saya tidak dapat"},
		{"üzgünüm", "edemem"},
		{"xin lỗi", "tôi không thể"},
	}
}
