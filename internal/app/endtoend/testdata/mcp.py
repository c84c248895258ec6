"""An MCP server with one tool, which says what stands in its environment."""
import json
import os
import sys

for line in sys.stdin:
    call = json.loads(line)
    if "id" not in call:
        continue
    method, result = call["method"], {}
    if method == "initialize":
        result = {"protocolVersion": call["params"]["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "proof", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": "greet", "description": "Greets.", "inputSchema": {"type": "object", "properties": {}}}]}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": os.environ["GREETING"]}]}
    answer = {"jsonrpc": "2.0", "id": call["id"], "result": result}
    if method not in ("initialize", "tools/list", "tools/call", "ping"):
        answer = {"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32601, "message": "no"}}
    print(json.dumps(answer), flush=True)
