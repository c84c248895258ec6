"""Lets ml-intern work with the small model behind a real server, and looks at
what came of it.

    python drive.py llamacpp|transformers --model FOLDER --program FILE --dir FOLDER
"""

import argparse
import contextlib
import csv
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "tiny-trainer"
JOB = "Train a small classifier on data/train.csv and report its accuracy."
ENDLESS = "Tick until I stop you."
LONG = "held out: 12, accuracy: 0.5 " * 4000


class Failed(Exception):
    pass


def want(truth, what):
    if not truth:
        raise Failed(what)


class Server:
    """A model server on a free port of this machine."""

    def __init__(self, kind, model, log, context=12288):
        self.kind = kind
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.base, self.prefix = {"llamacpp": ("LLAMACPP_BASE_URL", "llamacpp"), "transformers": ("VLLM_BASE_URL", "vllm")}[kind]
        if kind == "llamacpp":
            command = [sys.executable, HERE / "serve_llamacpp.py", model / f"{NAME}.gguf", str(port), str(context)]
        else:
            command = [Path(sys.executable).parent / "transformers", "serve", NAME, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        with open(log, "wb") as out:
            self.process = subprocess.Popen(command, cwd=model, stdout=out, stderr=out)
        self.wait(log)

    def wait(self, log):
        for _ in range(240):
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                urllib.request.urlopen(self.url + "/health", timeout=2).close()
                return
            time.sleep(0.5)
        self.stop()
        raise Failed(f"the server did not start, see {log}")

    def busy(self):
        """Says whether the server computes. llama.cpp tells; of the other the
        processor time of one second is looked at."""
        if self.kind == "llamacpp":
            with urllib.request.urlopen(self.url + "/slots", timeout=10) as r:
                return any(slot["is_processing"] for slot in json.load(r))
        before = self.ticks()
        time.sleep(1)
        return self.ticks() - before > 20  # hundredths of a second

    def ticks(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Bench:
    def __init__(self, server, program, root):
        self.server, self.program, self.root = server, program, root

    def start(self, name, *arguments, model=NAME):
        """Starts the program in a folder of its own with fresh data."""
        work = self.root / name
        (work / "data").mkdir(parents=True)
        seed = str(int.from_bytes(os.urandom(2), "big"))
        subprocess.run([sys.executable, HERE / "make_data.py", work / "data" / "train.csv", seed], check=True)
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        env = {"PATH": os.environ["PATH"], "HOME": str(home), self.server.base: self.server.url}
        command = [self.program, "--model", f"{self.server.prefix}/{model}", *arguments]
        with open(self.root / f"{name}.err", "wb") as err:
            p = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
        return p, work

    def run(self, name, *arguments, model=NAME):
        """Runs it to its end and returns its result object."""
        p, work = self.start(name, "--output-format", "json", *arguments, model=model)
        try:
            out, _ = p.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            p.kill()
            raise Failed("the program did not end within 300 s") from None
        (self.root / f"{name}.json").write_bytes(out)
        return p.returncode, json.loads(out), work

    def job(self):
        """The whole job: look, write, run, answer."""
        code, result, work = self.run("job", JOB)
        want(code == 0, f"exit code {code}: {result}")
        want((work / "train.py").exists() and (work / "metrics.json").exists(), f"train.py or metrics.json is missing: {result['result']!r}")
        text = (work / "metrics.json").read_text()
        # Run once more by hand, the script must come to the same.
        (work / "metrics.json").unlink()
        subprocess.run([sys.executable, "train.py"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        want((work / "metrics.json").read_text() == text, "metrics.json is not what train.py computes")
        metrics = json.loads(text)
        with open(work / "data" / "train.csv") as file:
            rows = len(list(csv.DictReader(file)))
        want(metrics["held_out"] == rows - rows * 3 // 4, f"{metrics} does not fit {rows} rows")
        found = re.search(r"accuracy of (\d\.\d{4})", result["result"])
        want(found and abs(float(found[1]) - metrics["accuracy"]) < 1e-9, f"the answer is {result['result']!r}, the metrics are {metrics}")
        want(result["num_iterations"] == 4, f"{result['num_iterations']} model calls, want 4")
        want(result["usage"]["completion_tokens"] > 100, f"usage {result['usage']}")
        return f"{result['result']} {result['usage']}"

    def refused(self):
        """Commands are denied: the model has to see that and say so."""
        code, result, work = self.run("refused", "--deny", "bash", JOB)
        want("could not finish" in result["result"], f"exit code {code}: {result}")
        want(not (work / "train.py").exists(), "train.py was written after a refusal")
        return f"exit code {code}: {result['result']}"

    def cancel(self):
        """Ctrl-C while the answer streams: the server stops computing too."""
        p, _ = self.start("cancel", "--output-format", "stream-json", ENDLESS)
        try:
            for line in p.stdout:
                if b" tick" in line:
                    break
            else:
                raise Failed("no text arrived")
            time.sleep(0.5)
            want(self.server.busy(), "the server was idle before the interrupt")
            began = time.time()
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=20)
        finally:
            if p.poll() is None:
                p.kill()
        took = time.time() - began
        want(p.returncode == 130, f"exit code {p.returncode}")
        for _ in range(10):
            if not self.server.busy():
                return f"exit code 130 after {took:.2f} s, the server was idle {time.time() - began:.1f} s after the interrupt"
            time.sleep(0.2)
        raise Failed("the server goes on computing")

    def slow(self):
        """The server stands still for 10 s; then the job is done all the same."""
        self.server.process.send_signal(signal.SIGSTOP)
        began = time.time()
        p, work = self.start("slow", "--output-format", "json", JOB)
        time.sleep(10)
        early = p.poll() is not None
        self.server.process.send_signal(signal.SIGCONT)
        try:
            out, _ = p.communicate(timeout=120)
        finally:
            if p.poll() is None:
                p.kill()
        want(not early, f"it did not wait: {out[:500]}")
        want(p.returncode == 0 and (work / "metrics.json").exists(), f"exit code {p.returncode}: {out[:500]}")
        return f"done after {time.time() - began:.1f} s"

    def impatient(self):
        """Ctrl-C while nothing has come from the server yet."""
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            p, _ = self.start("impatient", "--output-format", "json", JOB)
            time.sleep(4)
            began = time.time()
            p.send_signal(signal.SIGINT)
            p.communicate(timeout=20)
        finally:
            if p.poll() is None:
                p.kill()
            self.server.process.send_signal(signal.SIGCONT)
        want(p.returncode == 130, f"exit code {p.returncode}")
        return f"exit code 130 after {time.time() - began:.2f} s"

    def unknown(self):
        """A model that the server does not have."""
        code, result, _ = self.run("unknown", JOB, model="no-such-model")
        if self.server.kind == "llamacpp":  # it serves the one it has, whatever the name
            want(code == 0, f"exit code {code}: {result}")
            return "llama.cpp answers with the model it has"
        want(code == 1 and "no-such-model" in result["error"]["message"], f"exit code {code}: {result}")
        return result["error"]["message"]

    def shortened(self):
        """A prompt larger than the window is made to fit before it is sent."""
        p, _ = self.start("shortened", "--output-format", "stream-json", LONG)
        return self.watch(p, "compacted")

    def overflow(self):
        """The user has set too large a window: the server refuses the prompt,
        which is then made to fit."""
        if self.server.kind == "transformers":
            return "not tried: this server has no limit, it takes any length and computes for minutes"
        place = self.root / "home" / ".config" / "ml-intern"
        place.mkdir(parents=True)
        config = place / "cli_agent_config.json"
        config.write_text(json.dumps({"model_context_tokens": {f"{self.server.prefix}/{NAME}": 200000}}))
        p, _ = self.start("overflow", "--output-format", "stream-json", LONG)
        try:
            said = self.watch(p, "compacted")
        finally:
            config.unlink()
        want("exceeds the available context size" in (self.root / "server.log").read_text(), "the server refused nothing")
        return said

    def watch(self, p, awaited):
        """Waits for an event and, after it, for text, then stops the program:
        what this model writes after such a prompt has no end."""
        seen, lines = "", []
        try:
            for line in p.stdout:
                event = json.loads(line)
                lines.append(line)
                if event.get("event_type") == awaited:
                    seen = json.dumps(event["data"])
                if seen and event.get("event_type") == "assistant_chunk":
                    p.send_signal(signal.SIGINT)
                    p.communicate(timeout=20)
                    return f"{awaited} {seen}, then an answer"
            raise Failed(f"{awaited} {seen or 'did not happen'}; last line {lines[-1][:500] if lines else ''}")
        finally:
            if p.poll() is None:
                p.kill()

    def gone(self):
        """The server ends in the middle of an answer."""
        p, _ = self.start("gone", "--output-format", "stream-json", "--timeout", "15s", ENDLESS)
        try:
            for line in p.stdout:
                if b" tick" in line:
                    break
            self.server.process.kill()
            self.server.process.wait()
            out, _ = p.communicate(timeout=60)
        finally:
            if p.poll() is None:
                p.kill()
        (self.root / "gone.json").write_bytes(out)
        last = json.loads(out.splitlines()[-1])
        want(p.returncode != 0, "the program took half an answer for a whole one")
        return f"exit code {p.returncode}: {json.dumps(last)[:300]}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["llamacpp", "transformers"])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--only", action="append")
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix=args.kind + "-", dir=args.dir.resolve()))
    server = Server(args.kind, args.model.resolve(), root / "server.log")
    bench = Bench(server, args.program.resolve(), root)
    failed = 0
    try:
        for check in (bench.job, bench.refused, bench.slow, bench.impatient, bench.cancel, bench.unknown, bench.shortened, bench.overflow, bench.gone):
            if args.only and check.__name__ not in args.only:
                continue
            began = time.time()
            try:
                said = "ok    " + check()
            except (Failed, OSError, ValueError, KeyError, subprocess.SubprocessError) as problem:
                failed, said = failed + 1, f"FAILED {type(problem).__name__}: {problem}"
            print(f"{args.kind} {check.__name__} ({time.time() - began:.1f} s): {said}", flush=True)
    finally:
        server.stop()
    if failed:
        sys.exit(f"{failed} checks failed; see {root}")


if __name__ == "__main__":
    main()
