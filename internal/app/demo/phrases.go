package demo

// The sentences the messages are made of. A word in braces is filled from
// fillings.

var fillings = map[string][]string{
	"title": {
		"The Salt Garden", "Seven Winters", "A Map of Rivers", "Bread for Beginners", "The Quiet Orbit",
		"Letters from the Mill", "How Bees Decide", "The Third Lighthouse", "Small Boats", "Fox and Lantern",
		"The Clockmaker's Year", "Under the Ice", "Garden Birds", "A Short History of Glass", "Night Trains",
		"The Paper Bridge", "Tales from the Harbour", "Winter Vegetables", "The Blue Notebook", "Stars over Town",
	},
	"media": {"books", "comics", "DVDs", "audiobooks", "board games", "magazines", "sheet music", "picture books"},
	"event": {
		"story hour", "poetry evening", "chess afternoon", "repair cafe", "writing workshop", "book club",
		"coding class", "film night", "language table", "puppet show", "author talk", "board game evening",
	},
	"room":  {"reading room", "study room", "children's corner", "cellar", "newspaper corner", "music room", "group room"},
	"floor": {"first", "second", "third", "ground", "top"},
	"day":   {"on Monday", "on Tuesday", "on Wednesday", "on Thursday", "on Friday", "on Saturday", "today", "yesterday", "this week", "next week"},
	"ago":   {"two weeks ago", "last month", "three days ago", "last Friday", "in spring", "a week ago"},
	"n":     {"two", "three", "four", "five", "six", "eight", "ten"},
	"kid":   {"son", "daughter", "niece", "grandson", "little sister", "nephew"},
	"name":  {"Ada", "Mira", "Jonas", "Lena", "Tom", "Noor", "Felix", "Ines", "Oskar", "Rosa", "Yusuf", "Clara"},
}

var openers = []string{"Hello,", "Hi,", "Hi there!", "Good morning,", "Dear team,", "Dear library,", "Good evening,"}

var closers = []string{
	"Thank you!", "Thanks a lot!", "Kind regards, {name}", "Thanks, {name}", "Best wishes, {name}",
	"Many thanks in advance!", "Greetings, {name}", "Please let me know.",
}

// asides fit every desk and say nothing about it.
var asides = []string{
	"I have been a reader here for {n} years.", "I asked at the desk {day}, but nobody knew.",
	"I looked on the website and found nothing.", "My {kid} is quite sad about it.", "You helped me very kindly {ago}.",
	"I can come by {day}.", "It is the second time I write.", "I tried it {n} times.", "Sorry to bother you again.",
	"A friend told me to ask you.", "It would help me a lot.", "I only noticed it {day}.", "Is that normal?",
	"I am in no hurry.", "What should I do?", "Can you help me?",
}

// desk is a class with the sentences that belong to it.
type desk struct {
	name  string
	share int // of a hundred messages
	lines []string
}

var desks = []desk{
	{"loans", 33, []string{
		"The book {title} is due {day} and I need one more week.",
		"Can I renew {title} once more?",
		"I reserved {title} {ago} and am still number {n} in the queue.",
		"My hold on {title} ran out before I could pick it up.",
		"I got a reminder for {title}, but I returned it {ago}.",
		"How many {media} may I take home at once?",
		"There is a late fee of {n} euros for {title}, though I brought it back {day}.",
		"I would like to borrow {title}, but it says not for loan.",
		"Pages are missing in {title}, is there another copy?",
		"Do you have {title} as an audiobook?",
		"I left {title} on a train, what does a new one cost?",
		"Could you send {title} over from the other branch?",
		"How long may I keep {media}?",
		"Somebody spilled coffee on {title} before I took it out.",
		"Could you buy {title} for the collection?",
		"I want to return {n} {media}, does it matter where?",
		"Where on the shelves do I find {title}?",
	}},
	{"account", 26, []string{
		"My card number is no longer accepted when I log in.",
		"I forgot my PIN and the reset mail never arrives.",
		"How do I change the address you have for me?",
		"My card expires {day}, can I extend it online?",
		"I lost my card {ago}, please block it.",
		"The website says that my account is locked after {n} attempts.",
		"How can my {kid} get a card too?",
		"I am moving away and want to close my account.",
		"I was charged the yearly fee twice {day}.",
		"The app signs me out whenever I open it.",
		"I have a new e-mail address, where do I enter it?",
		"My name is misspelled on the card.",
		"Is there a cheaper membership for students?",
		"I no longer get your mails, are my settings wrong?",
		"Can two people share one membership?",
		"Which documents do I need to register?",
	}},
	{"events", 23, []string{
		"Is there still a place in the {event} {day}?",
		"I signed up for the {event} but cannot come, please give my place away.",
		"At what time does the {event} start {day}?",
		"May my {kid} join the {event}, or is it for adults only?",
		"Will the {event} be recorded?",
		"I missed the {event} {ago}, when is the next one?",
		"Is the {event} free, or do I need a ticket?",
		"Do I have to bring anything to the {event}?",
		"We were {n} people at the {event} and there were not enough chairs.",
		"I would love to lead a {event} myself, whom do I ask?",
		"Is the {event} also held in English?",
		"The programme lists the {event} twice, which date is right?",
		"The {event} {ago} was wonderful, please repeat it!",
		"Can a school class of twenty visit the {event}?",
		"How old must children be for the {event}?",
	}},
	{"building", 18, []string{
		"The printer on the {floor} floor is out of paper.",
		"It is freezing in the {room} {day}.",
		"The lift has been out of order since {day}.",
		"The wireless network drops all the time in the {room}.",
		"People talk on the phone in the {room} every afternoon.",
		"Are you open {day}, and until when?",
		"The lamps on the {floor} floor flicker.",
		"Where can I lock my bicycle?",
		"Is there a room where I may feed a baby?",
		"The toilets on the {floor} floor have no soap.",
		"Somebody left an umbrella in the {room}.",
		"Is the {room} reachable with a wheelchair?",
		"All lockers are taken by noon.",
		"The scanner in the {room} makes black stripes.",
		"May I eat my lunch in the {room}?",
	}},
}

// doubtful sentences fit two desks: people label them one way or the other.
var doubtful = []struct {
	line          string
	likely, other int // indices of desks
}{
	{"The app does not let me renew {title}.", 0, 1},
	{"I cannot reserve {title}, it says my account is blocked.", 1, 0},
	{"The machine did not read my card when I borrowed {title}.", 1, 0},
	{"The return machine on the {floor} floor refuses {title}.", 0, 3},
	{"May I bring back my {media} at the {event} {day}?", 0, 2},
	{"Where are the {media} for the {event} shelved?", 0, 2},
	{"I wanted to sign up for the {event}, but my PIN is refused.", 1, 2},
	{"Do I need a card to visit the {event}?", 2, 1},
	{"My card does not open the door of the {room}.", 1, 3},
	{"Can we use the {room} for our own {event}?", 3, 2},
	{"The {event} in the {room} was so loud that I could not read.", 3, 2},
	{"In which room is the {event} {day}?", 2, 3},
	{"I was fined for {n} {media} although you were closed {day}.", 0, 3},
	{"Can I pay the fee for late {media} with my card?", 0, 1},
	{"The screen in the {room} does not take my number.", 3, 1},
}

// wordless messages are not empty and yet hold no word.
var wordless = []string{"???", "!!!", "...", ":-)", "👍"}
