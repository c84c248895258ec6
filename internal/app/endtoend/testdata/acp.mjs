// An editor, played with the official client library of the Agent Client
// Protocol. Every frame in both directions is held against the official schema.
// It is given the program and its arguments; each scenario prints a line.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";

const modules = process.env.NODE_PATH;
const require = createRequire(path.join(modules, "x.js"));
const acp = await import(pathToFileURL(path.join(modules, "@agentclientprotocol/sdk/dist/v1/stable/acp.js")));
const Ajv = require("ajv/dist/2020.js").default;
const schema = JSON.parse(fs.readFileSync(path.join(modules, "@agentclientprotocol/sdk/schema/v1/schema.json")));
const [program, cwd] = process.argv.slice(2);

const ajv = new Ajv({ strict: false, allErrors: false, logger: false });
ajv.addSchema(schema, "acp");
const compiled = new Map();
function fits(name, value, frame) {
  if (!compiled.has(name)) compiled.set(name, ajv.compile({ $ref: `acp#/$defs/${name}` }));
  const check = compiled.get(name);
  assert.ok(check(value), `${name}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(frame).slice(0, 2000)}`);
}

// What each method carries, by the schema's own marks.
const request = {}, response = {};
for (const [name, def] of Object.entries(schema.$defs)) {
  const method = def["x-method"];
  if (!method) continue;
  if (/Response$/.test(name)) response[method] = name;
  else if (/(Request|Notification)$/.test(name)) request[method] = name;
}

/** Looks at every frame of one direction before it is handed on. */
function looking(side, asked, other) {
  let rest = "";
  return (chunk) => {
    rest += Buffer.from(chunk).toString("utf8");
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line.trim()) continue;
      const frame = JSON.parse(line); // nothing but frames
      assert.equal(frame.jsonrpc, "2.0", line);
      seen.frames++;
      fits(side, frame, frame);
      if (frame.method) {
        if (frame.id !== undefined) asked.set(frame.id, frame.method);
        if (request[frame.method]) fits(request[frame.method], frame.params, frame);
      } else if ("result" in frame) {
        fits(response[other.get(frame.id)], frame.result, frame);
      } else {
        fits("Error", frame.error, frame);
      }
    }
  };
}

const seen = { frames: 0 };

/** An editor with one running agent. */
class Editor {
  constructor(env = {}) {
    this.updates = [];
    this.asked = [];
    this.answers = [];
    this.child = spawn(program, ["acp"], { cwd, stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
    this.exited = new Promise((resolve) => this.child.on("exit", (code, signal) => resolve(signal ?? code)));
    const ours = new Map(), theirs = new Map();
    const inward = looking("AgentFrame", theirs, ours), outward = looking("ClientFrame", ours, theirs);
    const fail = (err) => { console.error(err.stack); process.exit(1); };
    const tap = (look) => new TransformStream({
      transform(chunk, c) { try { look(chunk); } catch (err) { fail(err); } c.enqueue(chunk); },
    });
    const toAgent = tap(outward);
    toAgent.readable.pipeTo(Writable.toWeb(this.child.stdin)).catch(() => {});
    const stream = acp.ndJsonStream(toAgent.writable, Readable.toWeb(this.child.stdout).pipeThrough(tap(inward)));
    const app = acp.client({ name: "proof" })
      .onNotification(acp.methods.client.session.update, ({ params }) => { this.updates.push(params); this.wake?.(); })
      .onRequest(acp.methods.client.session.requestPermission, async ({ params }) => {
        this.asked.push(params);
        const answer = this.answers.shift();
        assert.ok(answer, "nobody expected to be asked: " + JSON.stringify(params));
        return { outcome: await answer(params) };
      });
    this.connection = app.connect(stream);
    this.agent = this.connection.agent;
  }

  call(method, params) { return this.agent.request(method, params); }

  async initialize(capabilities = {}) {
    return this.call(acp.methods.agent.initialize, {
      protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: capabilities, clientInfo: { name: "proof", version: "1" },
    });
  }

  prompt(sessionId, ...blocks) {
    return this.call(acp.methods.agent.session.prompt, {
      sessionId, prompt: blocks.map((b) => (typeof b === "string" ? { type: "text", text: b } : b)),
    });
  }

  of(kind, sessionId) {
    return this.updates.filter((u) => (!sessionId || u.sessionId === sessionId) && u.update.sessionUpdate === kind).map((u) => u.update);
  }

  text(kind = "agent_message_chunk", sessionId) { return this.of(kind, sessionId).map((u) => u.content.text).join(""); }

  /** Waits until a condition holds, looking at every update. */
  async until(what, holds) {
    const late = setTimeout(() => { console.error(`${what} did not come\n${JSON.stringify(this.updates, null, 1).slice(-4000)}`); process.exit(1); }, 20_000);
    while (!holds()) await new Promise((resolve) => { this.wake = resolve; setTimeout(resolve, 50); });
    clearTimeout(late);
  }

  /** Goes, as an editor does that is closed. */
  async close() {
    this.child.stdin.end();
    const how = await this.exited;
    this.connection.close();
    assert.equal(how, 0);
  }
}

// Whole frames of one side: requests, responses and notifications.
ajv.addSchema({ $id: "sides", $defs: {
  AgentFrame: { anyOf: ["AgentRequest", "AgentResponse", "AgentNotification"].map((n) => ({ $ref: `acp#/$defs/${n}` })) },
  ClientFrame: { anyOf: ["ClientRequest", "ClientResponse", "ClientNotification", "CancelRequestNotification"].map((n) => ({ $ref: `acp#/$defs/${n}` })) },
} });
for (const side of ["AgentFrame", "ClientFrame"]) compiled.set(side, ajv.compile({ $ref: `sides#/$defs/${side}` }));

const select = (id) => async (params) => {
  const option = params.options.find((o) => o.optionId === id);
  assert.ok(option, `there is no answer ${id}: ${JSON.stringify(params.options)}`);
  return { outcome: "selected", optionId: id };
};
const file = (name) => path.join(cwd, name);
const methods = acp.methods.agent;

const scenarios = {
  async initialize() {
    const e = new Editor();
    await assert.rejects(e.call(methods.session.new, { cwd, mcpServers: [] }), /initialize comes first/);
    const hello = await e.initialize({ auth: { terminal: true } });
    assert.equal(hello.protocolVersion, 1);
    assert.equal(hello.agentInfo.name, "ml-intern");
    assert.equal(hello.agentCapabilities.loadSession, true);
    assert.deepEqual(hello.agentCapabilities.promptCapabilities, { image: true, audio: false, embeddedContext: true });
    assert.deepEqual(hello.agentCapabilities.mcpCapabilities, { http: true, sse: true });
    assert.deepEqual(hello.authMethods.map((m) => m.type ?? "agent"), ["agent", "terminal"]);
    await e.call(methods.authenticate, { methodId: hello.authMethods[0].id });
    await assert.rejects(e.call(methods.session.new, { cwd: "relative", mcpServers: [] }), /absolute/);
    await assert.rejects(e.call(methods.session.load, { cwd, mcpServers: [], sessionId: "6b0c1c5e-0000-4000-8000-000000000000" }), { code: -32002 });
    await assert.rejects(e.call("session/unheard_of", {}), { code: -32601 });
    await e.close();
  },

  async edits() {
    fs.writeFileSync(file("train.py"), "lr = 0.1\nepochs = 3\n");
    const e = new Editor();
    await e.initialize({ session: { notices: {} } });
    const opened = await e.call(methods.session.new, { cwd, mcpServers: [] });
    const id = opened.sessionId;
    assert.equal(opened.modes.currentModeId, "ask");
    assert.deepEqual(opened.configOptions.map((o) => o.category), ["mode", "model", "thought_level"]);
    const { stopReason } = await e.prompt(id, "edit ", { type: "resource_link", uri: pathToFileURL(file("train.py")).href, name: "train.py" });
    assert.equal(stopReason, "end_turn");
    assert.equal(e.text(), "The learning rate is lower now.");
    assert.equal(e.text("user_message_chunk"), "", "the editor shows what it has sent by itself");
    assert.ok(e.of("available_commands_update").at(-1).availableCommands.some((c) => c.name === "compact"));

    const calls = e.of("tool_call");
    assert.deepEqual(calls.map((c) => [c.name, c.kind]), [["read", "read"], ["edit", "edit"], ["write", "edit"]]);
    assert.equal(calls[1].locations[0].path, file("train.py"));
    assert.equal(calls[1].rawInput.new_str, "lr = 0.01");
    const last = (name) => {
      const at = calls.find((c) => c.name === name).toolCallId;
      return e.of("tool_call_update").filter((u) => u.toolCallId === at && u.content).at(-1);
    };
    assert.equal(last("edit").status, "completed");
    const [diff] = last("edit").content;
    assert.equal(diff.type, "diff");
    assert.equal(diff.path, file("train.py"));
    assert.match(diff.oldText, /lr = 0\.1\n/);
    assert.match(diff.newText, /lr = 0\.01\n/);
    const [fresh] = last("write").content;
    assert.equal(fresh.oldText ?? null, null, "a new file has no text before");
    assert.equal(fresh.newText, "notes\n");
    assert.equal(fs.readFileSync(file("train.py"), "utf8"), "lr = 0.01\nepochs = 3\n");

    const plans = e.of("plan").map((p) => p.entries.map((step) => step.content + ": " + step.status));
    assert.deepEqual(plans, [["read it: completed", "change it: in_progress"], ["read it: completed", "change it: completed"]]);
    const use = e.of("usage_update").at(-1);
    assert.ok(use.used > 0 && use.size > use.used && use.cost.currency === "USD", JSON.stringify(use));
    assert.ok(e.of("session_info_update").at(-1).title);
    return { e, id };
  },

  async permission() {
    const e = new Editor();
    await e.initialize();
    const { sessionId } = await e.call(methods.session.new, { cwd, mcpServers: [] });
    e.answers.push(select("reject"));
    assert.equal((await e.prompt(sessionId, "clean")).stopReason, "end_turn");
    assert.equal(fs.existsSync(file("../build")), true, "what was rejected has run");
    assert.match(e.text(), /Not cleaned/);
    const [asked] = e.asked;
    assert.match(asked.toolCall.title, /rm -rf \.\.\/build/);
    assert.deepEqual(asked.options.map((o) => o.kind), ["allow_once", "allow_always", "reject_once"]);
    assert.match(asked.toolCall.content[0].content.text, /Command/);
    assert.equal(e.of("tool_call_update").filter((u) => u.toolCallId === asked.toolCall.toolCallId).at(-1).status, "failed");

    e.answers.push(select("allow"));
    e.updates = [];
    assert.equal((await e.prompt(sessionId, "clean again")).stopReason, "end_turn");
    assert.match(e.text(), /Cleaned/);
    assert.equal(fs.existsSync(file("../build")), false);

    fs.mkdirSync(file("../build"));
    e.answers.push(select("allow_session"));
    await e.prompt(sessionId, "clean once more");
    fs.mkdirSync(file("../build"));
    await e.prompt(sessionId, "clean for the last time"); // nobody is asked
    assert.equal(fs.existsSync(file("../build")), false);
    assert.equal(e.asked.length, 3);
    await e.close();
  },

  async cancel() {
    const e = new Editor();
    await e.initialize();
    const { sessionId } = await e.call(methods.session.new, { cwd, mcpServers: [] });
    const slow = e.prompt(sessionId, "sleep");
    const behind = e.prompt(sessionId, "clean");
    await e.until("the running command", () => e.of("tool_call_update").some((u) => u.status === "in_progress"));
    await e.agent.notify(methods.session.cancel, { sessionId });
    assert.equal((await slow).stopReason, "cancelled");
    assert.equal((await behind).stopReason, "cancelled", "what waits is cancelled too");

    // While an approval is open.
    e.answers.push(async () => {
      await e.agent.notify(methods.session.cancel, { sessionId });
      return { outcome: "cancelled" };
    });
    assert.equal((await e.prompt(sessionId, "clean")).stopReason, "cancelled");
    e.updates = [];
    assert.equal((await e.prompt(sessionId, "hello")).stopReason, "end_turn");
    assert.equal(e.text(), "Hello.");
    await e.close();
  },

  async load() {
    const { e, id } = await scenarios.edits();
    await e.close();
    const f = new Editor();
    await f.initialize();
    const { sessions } = await f.call(methods.session.list, { cwd });
    const mine = sessions.find((s) => s.sessionId === id);
    assert.ok(mine?.title && mine.updatedAt, JSON.stringify(sessions));
    const loaded = await f.call(methods.session.load, { cwd, mcpServers: [], sessionId: id });
    assert.equal(loaded.modes.currentModeId, "ask");
    assert.match(f.text("user_message_chunk"), /^edit @train\.py/);
    assert.equal(f.text(), "The learning rate is lower now.");
    assert.deepEqual(f.of("tool_call").map((c) => c.name), ["read", "edit", "write"]);
    assert.equal(f.of("plan").at(-1).entries.length, 2);
    const before = f.updates.length;
    f.updates = [];
    assert.ok(before > 0);
    assert.equal((await f.prompt(id, "hello")).stopReason, "end_turn");
    assert.equal(f.text(), "Hello.");
    // Another editor resumes it without hearing what was said.
    await f.call(methods.session.close, { sessionId: id });
    await assert.rejects(f.prompt(id, "hello"), { code: -32002 });
    f.updates = [];
    await f.call(methods.session.resume, { cwd, mcpServers: [], sessionId: id });
    assert.equal((await f.prompt(id, "hello")).stopReason, "end_turn");
    assert.equal(f.text(), "Hello.");
    await f.call(methods.session.delete, { sessionId: id });
    assert.ok(!(await f.call(methods.session.list, { cwd })).sessions.some((s) => s.sessionId === id));
    await f.close();
  },

  async settings() {
    const e = new Editor();
    await e.initialize();
    const { sessionId } = await e.call(methods.session.new, { cwd, mcpServers: [] });
    await e.call(methods.session.setMode, { sessionId, modeId: "plan" });
    await e.until("the mode", () => e.of("current_mode_update").at(-1)?.currentModeId === "plan");
    const { configOptions } = await e.call(methods.session.setConfigOption, { sessionId, configId: "effort", value: "low" });
    assert.equal(configOptions.find((o) => o.id === "effort").currentValue, "low");
    await assert.rejects(e.call(methods.session.setMode, { sessionId, modeId: "nonsense" }), /nonsense/);
    await assert.rejects(e.call(methods.session.setConfigOption, { sessionId, configId: "colour", value: "red" }), { code: -32602 });
    e.updates = [];
    assert.equal((await e.prompt(sessionId, "/status")).stopReason, "end_turn");
    assert.match(e.text(), /openai\/house/);
    e.updates = [];
    await e.prompt(sessionId, "/rename An experiment");
    await e.until("the title", () => e.of("session_info_update").at(-1)?.title === "An experiment");
    await e.close();
  },

  async several() {
    const e = new Editor();
    await e.initialize();
    const other = fs.mkdtempSync(path.join(cwd, "other-"));
    const [a, b] = await Promise.all([cwd, other].map((dir) => e.call(methods.session.new, { cwd: dir, mcpServers: [] })));
    assert.notEqual(a.sessionId, b.sessionId);
    await Promise.all([a, b].map((s) => e.prompt(s.sessionId, "where")));
    assert.equal(e.text("agent_message_chunk", a.sessionId), "I am in " + cwd);
    assert.equal(e.text("agent_message_chunk", b.sessionId), "I am in " + other);
    await e.close();
  },

  async pictures() {
    const e = new Editor();
    await e.initialize();
    const { sessionId } = await e.call(methods.session.new, { cwd, mcpServers: [] });
    const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    await e.prompt(sessionId, "look", { type: "image", mimeType: "image/png", data: dot },
      { type: "resource", resource: { uri: pathToFileURL(file("unsaved.py")).href, text: "print('not on disk')" } });
    assert.equal(e.text(), "I see a picture and unsaved.py.");
    await assert.rejects(e.prompt(sessionId, { type: "audio", mimeType: "audio/wav", data: "AAAA" }), { code: -32602 });
    await assert.rejects(e.prompt(sessionId, { type: "image", mimeType: "image/png", data: "?" }), { code: -32602 });
    await e.close();
  },

  /** An MCP server of the editor's joins the session, a command of the person's is listed. */
  async servers() {
    const e = new Editor();
    await e.initialize({ session: { notices: {} } });
    const server = path.join(path.dirname(process.argv[1]), "mcp.py");
    const { sessionId } = await e.call(methods.session.new, {
      cwd, mcpServers: [{ name: "proof", command: "python3", args: [server], env: [{ name: "GREETING", value: "good ${HOME} morning" }] }],
    });
    e.answers.push(select("allow"));
    assert.equal((await e.prompt(sessionId, "greet")).stopReason, "end_turn");
    assert.equal(e.text(), "It says: good ${HOME} morning");
    assert.equal(e.of("tool_call")[0].name, "greet");
    const commands = e.of("available_commands_update").at(-1).availableCommands.map((c) => c.name);
    assert.ok(commands.includes("shout") && commands.includes("diff") && !commands.includes("quit"), commands.join(" "));
    e.updates = [];
    await e.prompt(sessionId, "/shout now");
    assert.equal(e.text(), "You shout: LOUD now");
    await e.close();
  },

  /** The editor is killed while the agent works: the session goes on alone. */
  async killed() {
    const e = new Editor();
    await e.initialize();
    const { sessionId } = await e.call(methods.session.new, { cwd, mcpServers: [] });
    e.prompt(sessionId, "wait for the file").catch(() => {});
    await e.until("the running command", () => e.of("tool_call_update").some((u) => u.status === "in_progress"));
    e.child.kill("SIGKILL");
    await e.exited;
    fs.writeFileSync(file("go"), "");
    console.log(JSON.stringify({ session: sessionId }));
  },
};

for (const name of process.argv.slice(4)) {
  const begun = Date.now();
  const left = await scenarios[name]();
  await left?.e?.close();
  console.log(JSON.stringify({ scenario: name, ms: Date.now() - begun, frames: seen.frames }));
}
process.exit(0);
