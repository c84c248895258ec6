"""Loads traces with the JSON loader of datasets, and tells what it has found."""

import json
import sys

from datasets import load_dataset
from datasets.packaged_modules.json import json as loader

rows = load_dataset("json", data_files=sys.argv[1:], split="train")
told = {"traces": rows.features == loader.AGENT_TRACES_FEATURES, "rows": []}
for row in rows:
    told["rows"].append({
        key: row[key]
        for key in ("harness", "session_id", "prompt", "sent_at", "num_user_messages", "num_tool_calls")
    } | {
        "messages": [
            {
                "role": m["role"],
                "content": m.get("content"),
                "thinking": m.get("reasoning_content"),
                "calls": [[c["function"]["name"], c["function"]["arguments"]] for c in m.get("tool_calls") or []],
            }
            for m in row["messages"]
        ],
    })
print(json.dumps(told))
