// Calls of the official JavaScript client against the simulated Hub. A row is
// played when its name comes in; what came of it goes out as a line of JSON. The
// rows build on one another, in order. What the simulator must have seen of them
// is looked at from outside: mark() tells how far a row is.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

// The client is looked for where NODE_PATH says.
const hub = createRequire(import.meta.url)("@huggingface/hub");
const hubUrl = process.env.HF_ENDPOINT;
const at = { hubUrl, accessToken: process.env.HF_TOKEN };
const repo = { type: "model", name: "bob/js1" };
const big = randomBytes((3 << 20) + 17);
const one = (more) => ({ repo, ...at, ...more });
const blob = (bytes) => new Blob([bytes]);

async function refused(status, call) {
  try {
    await call();
  } catch (err) {
    assert.equal(err.statusCode, status, String(err));
    return;
  }
  assert.fail(`not refused with ${status}`);
}

async function all(list) {
  const items = [];
  for await (const item of list) items.push(item);
  return items;
}

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function mark() {
  console.log(JSON.stringify({ mark: true }));
  await input.next();
}

const checks = {
  async J1() { assert.equal((await hub.whoAmI(at)).name, "bob"); },
  async J2() {
    const made = await hub.createRepo(one({ license: "mit" }));
    assert.equal(made.repoUrl, hubUrl + "/bob/js1");
    await refused(409, () => hub.createRepo(one({})));
  },
  async J3() {
    assert.equal(await hub.repoExists(one({})), true);
    assert.equal(await hub.repoExists({ repo: { type: "model", name: "bob/none" }, ...at }), false);
  },
  async J4() {
    const made = await hub.uploadFile(one({ file: { path: "a/b.txt", content: blob("hello\n") }, useXet: false }));
    assert.match(made.commit.oid, /^[0-9a-f]{40}$/);
  },
  async J5() {
    const files = [{ path: "big.bin", content: blob(big) }, { path: "w.bin", content: blob(randomBytes(50000)) }];
    const made = await hub.uploadFiles(one({ files, useXet: false }));
    assert.match(made.commit.oid, /^[0-9a-f]{40}$/);
  },
  async J6() {
    const made = await hub.uploadFile(one({ file: { path: "x.bin", content: blob(randomBytes(2000)) } }));
    assert.match(made.commit.oid, /^[0-9a-f]{40}$/);
  },
  async J7() {
    const info = await hub.modelInfo({ name: "bob/js1", additionalFields: ["sha", "tags"], ...at });
    assert.match(info.id, /^[0-9a-f]{24}$/);
    assert.equal(info.name, "bob/js1");
    assert.match(info.sha, /^[0-9a-f]{40}$/);
    assert.ok(info.tags.includes("license:mit"), String(info.tags));
  },
  async J8() {
    const models = await all(hub.listModels({ search: { owner: "bob" }, ...at }));
    assert.ok(models.some((m) => m.name === "bob/js1"));
    const files = await all(hub.listFiles(one({ recursive: true })));
    assert.ok(files.some((f) => f.type === "directory" && f.path === "a"));
  },
  async J9() {
    const got = await hub.pathsInfo(one({ paths: ["a/b.txt", "big.bin", "zz"] }));
    assert.deepEqual(got.map((e) => e.path).sort(), ["a/b.txt", "big.bin"]);
  },
  async J10() {
    assert.equal(await hub.fileExists(one({ path: "a/b.txt" })), true);
    assert.equal(await hub.fileExists(one({ path: "zz" })), false);
  },
  async J11() { assert.equal((await hub.fileDownloadInfo(one({ path: "big.bin" }))).size, big.length); },
  async J12() {
    assert.equal(await (await hub.downloadFile(one({ path: "a/b.txt" }))).text(), "hello\n");
    const got = await hub.downloadFile(one({ path: "big.bin" }));
    assert.ok(Buffer.from(await got.arrayBuffer()).equals(big));
    await mark();
    const part = (await hub.downloadFile(one({ path: "big.bin" }))).slice(10, 14);
    assert.ok(Buffer.from(await part.arrayBuffer()).equals(big.subarray(10, 14)));
    await mark();
    assert.equal(await hub.downloadFile(one({ path: "zz" })), null);
  },
  async J13() {
    const commits = await all(hub.listCommits(one({})));
    assert.ok(commits.length >= 4 && commits[0].date >= commits.at(-1).date);
    assert.equal(await hub.countCommits(one({})), commits.length);
  },
  async J14() {
    await hub.createBranch(one({ branch: "dev" }));
    assert.ok((await all(hub.listFiles(one({ revision: "dev" })))).length > 0);
    await hub.deleteBranch(one({ branch: "dev" }));
  },
  async J15() {
    const made = await hub.commit(one({ title: "delete", operations: [{ operation: "delete", path: "x.bin" }] }));
    assert.equal(made.commit.url, hubUrl + "/bob/js1/commit/" + made.commit.oid);
    assert.equal(await hub.fileExists(one({ path: "x.bin" })), false);
    const add = [{ operation: "addOrUpdate", path: "pr.txt", content: blob("pr") }];
    const pr = await hub.commit(one({ title: "PR", isPullRequest: true, operations: add, useXet: false }));
    assert.equal(pr.pullRequestUrl, hubUrl + "/bob/js1/discussions/1");
    await refused(412, () => hub.commit(one({ title: "x", parentCommit: "0".repeat(40), operations: add, useXet: false })));
  },
  async J16() {
    await hub.deleteFile(one({ path: "w.bin" }));
    assert.equal(await hub.fileExists(one({ path: "w.bin" })), false);
    await hub.checkRepoAccess(one({}));
    await refused(401, () => hub.checkRepoAccess({ repo: { type: "model", name: "bob/none" }, hubUrl }));
  },
  async J17() {
    const cacheDir = mkdtempSync(join(tmpdir(), "hubjs-"));
    const folder = await hub.snapshotDownload(one({ cacheDir }));
    assert.deepEqual(readdirSync(folder, { recursive: true }).map((f) => f.replaceAll("\\", "/")).sort(),
      [".gitattributes", "README.md", "a", "a/b.txt", "big.bin"]);
    assert.ok(readFileSync(join(folder, "big.bin")).equals(big));
  },
  async J18() {
    const job = await hub.runJob({ namespace: "bob", dockerImage: "x", command: ["sh", "-c", "echo a; echo b"], flavor: "cpu-basic", ...at });
    const events = await all(hub.streamJobLogs({ namespace: "bob", jobId: job.id, ...at }));
    const lines = events.map((e) => e.message ?? e.data ?? JSON.stringify(e));
    assert.equal(lines.length, 3, JSON.stringify(events));
    assert.match(lines[0], /Job started/);
    assert.equal((await hub.getJob({ namespace: "bob", jobId: job.id, ...at })).id, job.id);
    assert.ok((await hub.listJobs({ namespace: "bob", ...at })).some((j) => j.id === job.id));
    assert.ok(Array.isArray(await hub.listJobHardware({ ...at })));
  },
  async J19() {
    const made = await hub.createCollection({ collection: { title: "JS", namespace: "bob" }, ...at });
    const found = await all(hub.listCollections({ search: { owner: ["bob"] }, ...at }));
    assert.ok(found.some((c) => c.slug === made.slug));
  },
  async J20() {
    await hub.createRepo({ repo: { type: "space", name: "bob/jsp" }, sdk: "static", ...at });
    assert.equal((await hub.spaceInfo({ name: "bob/jsp", ...at })).sdk, "static");
  },
  async J21() {
    await hub.deleteRepo(one({}));
    await refused(404, () => hub.modelInfo({ name: "bob/js1", ...at }));
  },
};

for (;;) {
  const { value: name, done } = await input.next();
  if (done) break;
  let error = "";
  try {
    await checks[name]();
  } catch (err) {
    const line = /rows\.mjs:(\d+)/.exec(err.stack ?? "")?.[1];
    error = `rows.mjs:${line}: ${String(err).replaceAll(/\s+/g, " ").slice(0, 1000)}`;
  }
  console.log(JSON.stringify({ row: name, error }));
}
