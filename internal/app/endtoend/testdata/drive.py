"""Another program drives ml-intern: one JSON object a line, both ways."""
import json
import subprocess
import sys
import threading

program, *flags = sys.argv[1:]


class Agent:
    def __init__(self, *flags):
        self.process = subprocess.Popen(
            [program, "--input-format", "stream-json", "--output-format", "stream-json", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.limit = threading.Timer(60, self.process.kill)
        self.limit.daemon = True
        self.limit.start()
        self.seen = []

    def say(self, **line):
        self.raw(json.dumps(line))

    def raw(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def until(self, wanted):
        for line in self.process.stdout:
            told = json.loads(line)
            self.seen.append(told)
            if wanted(told):
                return told
        raise SystemExit("the agent has ended; its last words: " + json.dumps(self.seen[-5:], indent=1))

    def event(self, kind):
        return self.until(lambda t: t.get("event_type") == kind)["data"]

    def result(self):
        return self.until(lambda t: t["type"] == "result")

    def end(self):
        self.process.stdin.close()
        rest = [json.loads(line) for line in self.process.stdout]
        code = self.process.wait()
        self.limit.cancel()
        return code, rest


def check(what, got, want):
    if got != want:
        raise SystemExit(f"{what}: {got!r}, not {want!r}")


# The first line comes before anything is asked.
agent = Agent("--approval-mode", "ask", *flags)
first = agent.until(lambda t: True)
check("the first line", (first["type"], first["subtype"]), ("system", "init"))

# A gate is answered by a line, either way.
agent.say(type="user", id="one", text="clean")
gate = agent.event("approval_required")
check("the gate", gate["tools"][0]["arguments"]["command"], "rm -rf ../build")
agent.say(type="approval", approvals=[{"tool_call_id": gate["tools"][0]["tool_call_id"], "approved": False, "feedback": "keep it"}])
result = agent.result()
check("rejected", (result["id"], result["result"], result["subtype"], result["exit_code"]), ("one", "Not cleaned.", "success", 0))

agent.say(type="user", text="clean again")
gate = agent.event("approval_required")
agent.say(type="approval", approvals=[{"tool_call_id": gate["tools"][0]["tool_call_id"], "approved": True}])
check("approved", agent.result()["result"], "Cleaned.")

# Several texts are several turns, in order; an interrupt ends the running one.
agent.say(type="user", id="slow", text="sleep")
agent.say(type="user", id="behind", text="hello")
agent.event("tool_started")
agent.say(type="interrupt")
result = agent.result()
check("interrupted", (result["id"], result["subtype"], result["exit_code"]), ("slow", "interrupted", 130))
result = agent.result()
check("the one behind it", (result["id"], result["result"], result["num_turns"]), ("behind", "Hello.", 1))

# A text can join a running turn.
agent.say(type="user", text="wait for the file")
agent.event("tool_started")
agent.say(type="steer", text="hurry")
agent.event("input_accepted")
open("go", "w").close()
check("steered", agent.result()["result"], "I hurry.")

# What cannot be read is told, and the next line is heard.
agent.raw("this is no JSON")
told = agent.until(lambda t: t["type"] == "system")
check("a bad line", (told["subtype"], told["line"]), ("input_error", 10))
agent.say(type="configure", approval_mode="plan")
check("the settings", agent.event("settings")["approval_mode"], "plan")
agent.say(type="user", text="hello")
check("after it", agent.result()["result"], "Hello.")
code, rest = agent.end()
check("the end", ([t.get("event_type", t["type"]) for t in rest], code), (["shutdown"], 2))

# The session goes on later, as any other.
agent = Agent("--resume", first["session_id"])
agent.say(type="user", text="hello")
check("gone on with", agent.result()["result"], "Hello.")
check("the end", agent.end()[0], 0)
print("done")
