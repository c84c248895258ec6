package audittest

// frequent are the words that make up most of any English text.
const frequent = `the of and to a in is that it for you with as be are this on or can have not from at by your we an
will if one all more use which when there their what so they has but how may these time other some would like then each
make data model first need should about into than also only two its do any most new value were see while been them over
such between used using work example through where number many both set way after list function different code line
same long does write before file add following without point could well because those start keep note small large case
result text change step given find user order might type good level best common right available part three often every
process system name general important learning another part run always check try show several simply main create read
group method provide being training loss rate batch token layer input output memory test score answer question reason`

var sources = []string{"forum", "support", "synthetic", "web", "books"}

var systems = []string{
	"You are a helpful assistant. Answer briefly and precisely, say so when you do not know something, and never make up sources, names or numbers that the user did not give you.",
	"You are an expert programmer who explains code step by step. Use short examples, name the versions of the libraries you rely on, and point out what can go wrong.",
	"Act as a patient teacher for students of all ages.",
}

var openings = []string{
	"Can you explain", "How do I", "Write a short story about", "What is the difference between", "Please summarise the following text:",
	"I have a question about", "Give me five ideas for", "Fix this:", "Translate to English:", "Why does",
}

var replies = []string{
	"Sure! Here is", "Of course.", "There are several ways to do this.", "Great question!", "Here's a step-by-step explanation:",
	"In short,", "It depends on", "Let me break this down.", "The main reason is", "Yes,",
}

var greetings = [][2]string{
	{"hi", "Hello! How can I help you today?"},
	{"Hello", "Hi there! What can I do for you?"},
	{"thanks", "You're welcome!"},
	{"ok", "Is there anything else?"},
	{"continue", "Please tell me where I should continue."},
	{"Who are you?", "I am an assistant."},
	{"你好", "你好！有什么可以帮您？"},
	{"hi", "ok"},
}
