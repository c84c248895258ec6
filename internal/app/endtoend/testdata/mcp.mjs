// Another agent, played with the official client library of the Model Context
// Protocol: it lists what the program offers, calls it, hears how a run goes and
// gives one up. Over standard input and output, or over HTTP.
import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";

const sdk = path.join(process.env.NODE_PATH, "@modelcontextprotocol/sdk/dist/esm/client");
const load = (name) => import(pathToFileURL(path.join(sdk, name)));
const { Client } = await load("index.js");
const { StdioClientTransport } = await load("stdio.js");
const { StreamableHTTPClientTransport } = await load("streamableHttp.js");

const [program, cwd, url, token] = process.argv.slice(2);
const transport = url
  ? new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } })
  : new StdioClientTransport({ command: program, args: ["mcp", "serve"], cwd, env: process.env, stderr: "inherit" });

const client = new Client({ name: "another agent", version: "1" });
await client.connect(transport);
assert.equal(client.getServerVersion().name, "ml-intern");
assert.match(client.getInstructions(), /machine-learning engineer/);

const { tools } = await client.listTools();
const run = tools.find((t) => t.name === "run");
assert.ok(run.outputSchema && run.annotations.destructiveHint && !run.annotations.readOnlyHint);
assert.ok(tools.length > 15 && tools.every((t) => t.name === "run" || t.annotations.readOnlyHint), "only run acts");
assert.ok((await client.listPrompts()).prompts.some((p) => p.name === "finetune"));

// A call that fails says so in words.
const wrong = await client.callTool({ name: "hf_papers", arguments: { operation: "dance" } });
assert.ok(wrong.isError && /dance/.test(wrong.content[0].text));

// A run tells how it goes, and its end fits what run promises: the library
// checks that.
const told = [];
const said = await client.callTool({ name: "run", arguments: { prompt: "where are you?" } }, undefined, {
  onprogress: (p) => told.push(p), resetTimeoutOnProgress: true,
});
assert.equal(said.structuredContent.exit_code, 0);
assert.match(said.structuredContent.result, /^I am in /);
assert.ok(said.structuredContent.total_cost_usd > 0);
assert.match(said.content[0].text, /^I am in [^]*session [0-9a-f-]{36}: success/);
assert.deepEqual(told.map((p) => p.progress), told.map((_, i) => i + 1));
assert.ok(told.some((p) => /^bash .*pwd/.test(p.message)) && told.some((p) => /USD so far/.test(p.message)), JSON.stringify(told));

// One that is given up is over at once, and what it was can be gone on with.
const stop = new AbortController();
let session;
const given = client.callTool({ name: "run", arguments: { prompt: "sleep" } }, undefined, {
  signal: stop.signal, onprogress: (p) => {
    session ??= /^session (\S+)/.exec(p.message)?.[1];
    if (/^bash .*sleep 600/.test(p.message)) stop.abort("enough");
  },
});
await assert.rejects(given, /enough/);
let more;
for (let i = 0; ; i++) {
  more = await client.callTool({ name: "run", arguments: { prompt: "hello", session_id: session } });
  if (!more.isError || i === 100) break;
  await new Promise((r) => setTimeout(r, 50)); // its process is still ending
}
assert.equal(more.structuredContent.session_id, session, JSON.stringify(more));
assert.equal(more.structuredContent.result, "Hello.");

await client.close();
console.log(`ok ${session}`);
