"""Key figures of sessions, worked out a second time and in another way.

Reads {"from", "to", "sessions": [...]} on each line of standard input and writes a line
for each: the columns of a row as a JSON list of [name, value, decimals], or null. Numbers
are not rounded; decimals, where it is not null, says to how many the file does. Only
Python's own library is used.
"""

import json
import math
import re
import statistics
import sys
from collections import Counter
from datetime import datetime, timezone
from fractions import Fraction


def when(text):
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def amount(value):
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return value if good else 0


def whole(value):
    return int(amount(value))


def quantile(values, hundredths):
    """The value below which so many hundredths lie, by exact fractions."""
    if not values:
        return 0.0
    if len(values) == 1:
        return float(values[0])
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    if hundredths == 50:
        assert math.isclose(cuts[49], statistics.median(values), rel_tol=1e-9, abs_tol=1e-9)
    return cuts[hundredths - 1]


def gpus(flavor):
    m = re.fullmatch(
        r"(?:zero-)?(?:rtx-pro-6000|t4|l4|l40s|l40|a10g|a10|a100|h100|h200|b200|b300|v100|p100)(?:-[a-z]*?)?(?:x(\d+))?", flavor
    )
    return int(m.group(1) or 1) if m else 0


class Session:
    def __init__(self, raw, start, end):
        def inside(at):
            return at is not None and start <= at < end

        data = lambda e: e["data"] if isinstance(e.get("data"), dict) else {}
        timed = [(when(e.get("timestamp")), e["event_type"], data(e)) for e in raw.get("events") or []]
        self.events = [e for e in timed if inside(e[0])]
        self.user = raw.get("user_id") or raw["session_id"]
        self.model = raw.get("model_name") or "unknown"
        messages = raw.get("messages") or []
        people = [m for m in messages if m.get("role") == "user" and not m.get("synthetic")]
        asked = [when(m.get("timestamp")) for m in people if not str(m.get("content")).startswith("[SYSTEM:")]
        ends = [at for at, kind, _ in timed if at and kind in ("turn_complete", "interrupted", "error")]
        known = [at for at, _, _ in timed if at]
        last = known[-1] if known else when(raw.get("session_start_time"))
        for i, at in enumerate(asked):
            asked[i] = at or (ends[i] if i < len(ends) else last)
        self.asked = [at for at in asked if inside(at)]
        self.tools = Counter(tool for at, tool in self.calls(raw, timed) if inside(at))
        begun = when(raw.get("session_start_time"))
        acts = [at for at, kind, d in self.events if kind in ("tool_call", "tool_output") and not d.get("agent_id")]
        self.first = (acts[0] - begun).total_seconds() if acts and begun else -1

    @staticmethod
    def calls(raw, timed):
        names, announced, refused, out = {}, Counter(), set(), []
        for m in raw.get("messages") or []:
            for c in m.get("tool_calls") or []:
                names[c["id"]] = c["function"]["name"]
        for at, kind, d in timed:
            call = d.get("tool_call_id")
            if d.get("agent_id"):
                continue
            if kind == "tool_call" and d.get("tool"):
                announced[call] += 1
                out.append((at, d["tool"]))
            elif kind == "tool_state_change":
                if d.get("state") in ("rejected", "abandoned"):
                    refused.add(call)
                elif d.get("state") == "approved":
                    refused.discard(call)
            elif kind == "tool_output" and call:
                if announced[call]:
                    announced[call] -= 1
                elif call in refused:
                    refused.discard(call)
                elif d.get("tool") or call in names:
                    out.append((at, d.get("tool") or names[call]))
        return out

    def of(self, kind):
        return [d for _, k, d in self.events if k == kind]

    def add(self, kind, field):
        return sum(whole(d.get(field)) for d in self.of(kind))

    @property
    def cost(self):
        return sum((Fraction(amount(d.get("cost_usd"))) for d in self.of("llm_call")), Fraction(0))


def figures(job):
    start, end = when(job["from"]), when(job["to"])
    everyone = [Session(raw, start, end) for raw in job["sessions"]]
    here = [s for s in everyone if s.events or s.asked]
    n = len(here)
    if not n:
        return None
    total = lambda f: sum(f(s) for s in here)
    share = lambda part, of: float(Fraction(part, of)) if of else 0.0
    row = []

    def put(name, value, decimals=None):
        row.append([name, value if decimals is None else float(value), decimals])

    def both(name, values, decimals):
        put(name + "_p50", quantile(values, 50), decimals)
        put(name + "_p95", quantile(values, 95), decimals)

    outputs = [d for s in here for _, k, d in s.events if k == "tool_output" and not d.get("agent_id")]
    good = sum(d.get("success") is True for d in outputs)
    errored = sum(bool(s.of("error")) for s in here)
    undone = sum(bool(s.of("undo_complete")) for s in here)
    cost = total(lambda s: s.cost)
    prompt, read = total(lambda s: s.add("llm_call", "prompt_tokens")), total(lambda s: s.add("llm_call", "cache_read_tokens"))
    ratings = Counter(str(d.get("rating")) for s in here for d in s.of("feedback"))
    done = [d for s in here for d in s.of("hf_job_complete")]
    boxes = [str(d.get("hardware") or "").lower() for s in here for d in s.of("sandbox_create")]
    hours = {}
    for d in done:
        name = d.get("flavor") if isinstance(d.get("flavor"), str) and d.get("flavor") else "unknown"
        hours[name] = hours.get(name, Fraction(0)) + Fraction(amount(d.get("wall_time_s"))) * gpus(name) / 3600
    calls = [sum(s.tools.values()) for s in here]
    research = [s.tools["research"] for s in here if s.tools["research"]]

    put("sessions", n)
    put("users", len({s.user for s in here}))
    put("turns", total(lambda s: len(s.asked)))
    put("llm_calls", total(lambda s: len(s.of("llm_call"))))
    put("tokens_prompt", prompt)
    put("tokens_completion", total(lambda s: s.add("llm_call", "completion_tokens")))
    put("tokens_cache_read", read)
    put("tokens_cache_creation", total(lambda s: s.add("llm_call", "cache_creation_tokens")))
    put("cost_usd", cost, 4)
    put("cost_per_session_mean", cost / n, 6)
    both("cost_per_session", [float(s.cost) for s in here], 6)
    put("cache_hit_ratio", share(read, read + prompt), 4)
    put("tool_calls_total", len(outputs))
    put("tool_calls_succeeded", good)
    put("tool_calls_failed", len(outputs) - good)
    put("errored_sessions", errored)
    put("successful_sessions", n - errored)
    put("regenerated_sessions", undone)
    put("tool_success_rate", share(good, len(outputs)), 4)
    put("failure_rate", share(errored, n), 4)
    put("regenerate_rate", share(undone, n), 4)
    both("time_to_first_action_s", [s.first for s in here if s.first >= 0], 2)
    put("thumbs_up", ratings["up"])
    put("thumbs_down", ratings["down"])
    put("hf_jobs_submitted", total(lambda s: len(s.of("hf_job_submit"))))
    put("hf_jobs_succeeded", sum(str(d.get("final_status")).lower() in ("completed", "succeeded", "success") for d in done))
    put("sandboxes_created", len(boxes))
    put("sandboxes_cpu", sum(b.startswith("cpu-") for b in boxes))
    put("sandboxes_gpu", sum(not b.startswith("cpu-") for b in boxes))
    put("hf_jobs_blocked", total(lambda s: len(s.of("jobs_access_blocked"))))
    put("pro_cta_clicks", total(lambda s: len(s.of("pro_cta_click"))))
    put("pro_conversions", total(lambda s: len(s.of("pro_conversion"))))
    put("credits_topped_up", total(lambda s: len(s.of("credits_topped_up"))))
    put("gpu_hours_by_flavor_json", {k: float(v) for k, v in hours.items()})
    put("research_calls", sum(research))
    put("sessions_with_research", len(research))
    both("research_calls_per_session", research, 2)
    both("distinct_tools_per_session", [len(s.tools) for s in here if s.tools], 2)
    both("tool_calls_per_session", [c for c in calls if c], 2)
    both("tool_calls_per_turn", [c / len(s.asked) for c, s in zip(calls, here) if s.asked], 2)
    put("tool_calls_by_name_json", dict(sum((s.tools for s in here), Counter())))
    put("sessions_using_tool_json", dict(Counter(t for s in here for t in s.tools)))
    put("sessions_by_model_json", dict(Counter(s.model for s in here)))
    return row


for line in sys.stdin:
    print(json.dumps(figures(json.loads(line))))
