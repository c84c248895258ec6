# Calls of the official Python client against the simulated Hub. A row is played
# when its name comes in; what came of it goes out as a line of JSON. The rows
# build on one another, in order. What the simulator must have seen of them is
# looked at from outside: mark() tells how far a row is.
import inspect, json, os, sys, tempfile, time, traceback, urllib.request

from huggingface_hub import (CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi, HfFileSystem,
                             constants, hf_hub_download, snapshot_download)
from huggingface_hub.utils import (GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError)

from huggingface_hub.errors import RemoteEntryNotFoundError as EntryMissing

try:
    from huggingface_hub.errors import JobNotFoundError
except ImportError:  # older clients: a plain HTTP error
    JobNotFoundError = Exception

# The client keeps what has come in pieces of this size: with its own of 10 MiB it
# would begin small files anew each time.
constants.DOWNLOAD_CHUNK_SIZE = 100_000

E = os.environ["HF_ENDPOINT"]
api = HfApi(token="hf_bob_write")
anyone = HfApi(token=False)
alice = HfApi(token="hf_alice_write")
state = {}


def mark():
    print(json.dumps({"mark": True}), flush=True)
    sys.stdin.readline()


def control(path, body=None, method=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(E + "/__hubsim/" + path, data=data, method=method)
    return json.loads(urllib.request.urlopen(request).read())


def faults(*rules):
    control("faults", method="DELETE")
    if rules:
        control("faults", list(rules))


def raises(kind, call, text=""):
    try:
        got = call()
    except kind as err:
        assert text in str(err), f"the error says {err}"
        return err
    raise AssertionError(f"no {kind} but {got!r}")


def status(code, call, text=""):
    err = raises(HfHubHTTPError, call, text)
    assert err.response.status_code == code, f"status {err.response.status_code}, want {code}: {err}"


BIG = bytes(range(256)) * 4096 * 3 + b"x" * 17


def oid(made):
    assert len(made.oid) == 40 and made.commit_url == f"{E}/bob/m1/commit/{made.oid}", made
    return made.oid


def p1(): assert api.whoami()["name"] == "bob"
def p2(): status(401, HfApi(token="hf_wrong").whoami, "Invalid user token.")
def p3(): assert str(api.create_repo("bob/m1", private=True)) == E + "/bob/m1"


def p4():
    status(409, lambda: api.create_repo("bob/m1"))
    assert str(api.create_repo("bob/m1", exist_ok=True)) == E + "/bob/m1"


def p5(): status(403, lambda: api.create_repo("acme2/x"), 'under the namespace "acme2"')


def p6():
    oid(api.upload_file(path_or_fileobj=b"hello\n", path_in_repo="a/b.txt", repo_id="bob/m1"))
    assert api.get_paths_info("bob/m1", ["a/b.txt"])[0].blob_id == "ce013625030ba8dba906f756967f9e9ca394464a"


def p7():
    before = api.model_info("bob/m1").sha
    mark()
    api.upload_file(path_or_fileobj=b"hello\n", path_in_repo="a/b.txt", repo_id="bob/m1")
    mark()
    assert api.model_info("bob/m1").sha == before


def p8(): oid(api.upload_file(path_or_fileobj=os.urandom(50_000), path_in_repo="w.bin", repo_id="bob/m1"))
def p9(): oid(api.upload_file(path_or_fileobj=BIG, path_in_repo="big.bin", repo_id="bob/m1"))


def p10():
    card = b"---\nlicense: 3\n---\n# Card\n"
    raises(ValueError, lambda: api.upload_file(path_or_fileobj=card, path_in_repo="README.md", repo_id="bob/m1"), "license")


def p11():
    state["old"] = api.model_info("bob/m1").sha
    mark()
    oid(api.create_commit("bob/m1", operations=[
        CommitOperationAdd("q.txt", b"q\n"), CommitOperationDelete("w.bin"), CommitOperationCopy("big.bin", "copy.bin"),
        CommitOperationCopy("a/b.txt", "c.txt")], commit_message="multi"))
    mark()
    got = {x.path: x for x in api.get_paths_info("bob/m1", ["big.bin", "copy.bin", "c.txt", "q.txt", "w.bin"])}
    assert sorted(got) == ["big.bin", "c.txt", "copy.bin", "q.txt"], got
    big, copy = got["big.bin"], got["copy.bin"]
    assert big.size == copy.size == len(BIG) and big.lfs.sha256 == copy.lfs.sha256 and big.blob_id == copy.blob_id
    assert got["c.txt"].blob_id == "ce013625030ba8dba906f756967f9e9ca394464a"


def p12():
    add = [CommitOperationAdd("r.txt", b"r")]
    status(412, lambda: api.create_commit("bob/m1", operations=add, commit_message="x", parent_commit=state["old"]))


def p13():
    api.delete_folder("a", "bob/m1")
    raises(EntryMissing, lambda: api.delete_file("zz", "bob/m1"))


def p14():
    with tempfile.TemporaryDirectory() as d:
        for name in ("x.txt", "y.txt"):
            open(os.path.join(d, name), "w").write(name)
        mark()
        oid(api.upload_folder(repo_id="bob/m1", folder_path=d, delete_patterns="*.bin"))
        mark()
    files = api.list_repo_files("bob/m1")
    assert "x.txt" in files and "y.txt" in files and not [f for f in files if f.endswith(".bin")], files


def p15():
    first = hf_hub_download("bob/m1", "q.txt", token="hf_bob_write")
    mark()
    assert open(first).read() == "q\n" and hf_hub_download("bob/m1", "q.txt", token="hf_bob_write") == first


def p16():
    api.upload_file(path_or_fileobj=BIG, path_in_repo="big.bin", repo_id="bob/m1")
    mark()
    assert open(big(), "rb").read() == BIG


def big(**more):
    return hf_hub_download("bob/m1", "big.bin", token="hf_bob_write", **more)


def drop(size, **more):
    return {"match": {"host": "cdn", "method": "GET", **more}, "do": {"dropAfterBytes": size}}


# Newer clients go on by themselves when a body ends early, older ones raise and
# go on where they were when they are asked again.
def insist(folder, times):
    for _ in range(times if not RESUMES else 0):
        raises(Exception, lambda: big(cache_dir=folder))
    return big(cache_dir=folder)


def p17():
    with tempfile.TemporaryDirectory() as d:
        faults(drop(1000000, count=2))
        assert open(insist(d, 2), "rb").read() == BIG
    mark()
    with tempfile.TemporaryDirectory() as d:
        faults(drop(1000, count=9))
        raises(Exception, lambda: big(cache_dir=d))


def p18():
    with tempfile.TemporaryDirectory() as d:
        faults(drop(1000000, count=1), {"match": {"host": "cdn", "method": "GET", "count": 1}, "do": {"ignoreRange": True}})
        assert open(insist(d, 1), "rb").read() == BIG


def p19(): raises(EntryMissing, lambda: hf_hub_download("bob/m1", "nope", token="hf_bob_write"))


def p20():
    files = sorted(api.list_repo_files("bob/m1"))
    mark()
    folder = snapshot_download("bob/m1", token="hf_bob_write")
    mark()
    assert inside(folder) == files
    with tempfile.TemporaryDirectory() as d:
        snapshot_download("bob/m1", token="hf_bob_write", local_dir=d)
        mark()
        assert [f for f in inside(d) if not f.startswith(".cache")] == files
        assert open(os.path.join(d, "big.bin"), "rb").read() == BIG


def inside(folder):
    return sorted(os.path.relpath(os.path.join(d, f), folder) for d, _, names in os.walk(folder) for f in names)


def p21():
    siblings = api.model_info("bob/m1", files_metadata=True).siblings
    assert "big.bin" in [s.rfilename for s in siblings]
    for s in siblings:
        assert s.size is not None and (s.lfs is not None) == s.rfilename.endswith(".bin"), s


def p22():
    raises(RepositoryNotFoundError, lambda: api.model_info("bob/none"))
    raises(RepositoryNotFoundError, lambda: anyone.model_info("bob/m1"))
    raises(RevisionNotFoundError, lambda: api.model_info("bob/m1", revision="nope"))


def p23():
    api.upload_file(path_or_fileobj=b"hello\n", path_in_repo="a/b.txt", repo_id="bob/m1")
    kinds = {type(x).__name__ for x in api.list_repo_tree("bob/m1", recursive=True)}
    assert kinds == {"RepoFile", "RepoFolder"}, kinds
    raises(EntryMissing, lambda: list(api.list_repo_tree("bob/m1", path_in_repo="zzz")))


def p24():
    got = api.get_paths_info("bob/m1", ["a", "big.bin", "missing"])
    assert sorted(x.path for x in got) == ["a", "big.bin"], got


def p25():
    got = [api.file_exists("bob/m1", "q.txt"), api.file_exists("bob/m1", "zz"), api.repo_exists("bob/m1"),
           api.repo_exists("bob/zz"), api.revision_exists("bob/m1", "main"), api.revision_exists("bob/m1", "zz")]
    assert got == [True, False] * 3, got


def p26():
    sha = api.model_info("bob/m1").sha
    api.create_branch("bob/m1", branch="feat/x", revision=sha)
    status(409, lambda: api.create_branch("bob/m1", branch="feat/x"))
    api.create_branch("bob/m1", branch="feat/x", exist_ok=True)
    assert api.model_info("bob/m1", revision="feat/x").sha == sha
    api.delete_branch("bob/m1", branch="feat/x")
    status(403, lambda: api.delete_branch("bob/m1", branch="main"))


def p27():
    api.create_tag("bob/m1", tag="v1")
    tag, = api.list_repo_refs("bob/m1").tags
    assert tag.name == "v1" and tag.target_commit == api.model_info("bob/m1").sha
    api.delete_tag("bob/m1", tag="v1")
    assert not api.list_repo_refs("bob/m1").tags


def p28():
    pr = api.upload_file(path_or_fileobj=b"pr\n", path_in_repo="pr.txt", repo_id="bob/m1", create_pr=True)
    assert (pr.pr_num, pr.pr_revision) == (1, "refs/pr/1"), pr
    got = hf_hub_download("bob/m1", "pr.txt", revision="refs/pr/1", token="hf_bob_write")
    assert open(got).read() == "pr\n" and not api.file_exists("bob/m1", "pr.txt")


def p29():
    api.merge_pull_request("bob/m1", discussion_num=1)
    assert api.get_discussion_details("bob/m1", 1).status == "merged" and api.file_exists("bob/m1", "pr.txt")


def p30():
    d = api.create_discussion("bob/m1", title="Question", description="Why?")
    assert d.num == 2
    api.comment_discussion("bob/m1", 2, comment="Because")
    api.rename_discussion("bob/m1", 2, new_title="Answer")
    api.change_discussion_status("bob/m1", 2, "closed", comment="done")
    got = api.get_discussion_details("bob/m1", 2)
    kinds = [e.type for e in got.events]
    assert got.title == "Answer" and got.status == "closed", got
    assert kinds[:3] == ["comment", "comment", "title-change"] and "status-change" in kinds[3:], kinds
    assert [x.num for x in api.get_repo_discussions("bob/m1")] == [2, 1]


def p31():
    api.update_repo_settings("bob/m1", gated="auto", private=False)
    with tempfile.TemporaryDirectory() as d:  # what bob has fetched would be found otherwise
        fetch = lambda: hf_hub_download("bob/m1", "x.txt", token="hf_alice_write", cache_dir=d)
        raises(GatedRepoError, fetch)
        api.grant_access("bob/m1", "alice")
        assert open(fetch()).read() == "x.txt"


def p32():
    api.move_repo("bob/m1", "bob/m2")
    assert api.model_info("bob/m1").id == "bob/m2"


def p33():
    for name in ("l1", "l2"):
        api.create_repo("bob/" + name)
    mark()
    assert len(list(api.list_models(author="bob", limit=1))) == 1
    one = next(iter(api.list_models(author="bob", limit=1, expand=["downloads"])))
    assert one.downloads is not None and one.likes is None and one.sha is None and one.created_at is None, one
    mark()
    # A page without items whose link leads on: it is followed.
    faults({"match": {"path": "^/api/models$", "count": 1}, "do": {"emptyPage": True}})
    assert sorted(m.id for m in api.list_models(author="bob")) == ["bob/l1", "bob/l2", "bob/m2"]


def p34():
    job = api.run_job(image="python:3.12", command=["sh", "-c", "echo one; echo $FOO; echo $SEC"], env={"FOO": "foo"},
                      secrets={"SEC": "sss"})
    lines = list(api.fetch_job_logs(job_id=job.id, **FOLLOW))
    got = api.wait_for_job(job.id) if hasattr(api, "wait_for_job") else wait(job)
    got = api.inspect_job(job_id=job.id)
    assert [x.strip() for x in lines if not x.startswith("Job started")] == ["one", "foo", "sss"], lines
    assert got.status.stage == "COMPLETED" and "sss" not in str(got), got
    if hasattr(got, "secrets"):
        assert list(got.secrets) == ["SEC"], got


def wait(job, timeout=30):
    for _ in range(timeout * 20):
        got = api.inspect_job(job_id=job.id)
        if got.status.stage in ("COMPLETED", "ERROR", "CANCELED", "DELETED"):
            return got.status
        time.sleep(0.05)
    raise AssertionError(f"job is {got.status}")


def p35():
    got = wait(api.run_job(image="x", command=["sh", "-c", "exit 3"]))
    assert got.stage == "ERROR" and "exit code: 3" in got.message, got
    slow = api.run_job(image="x", command=["sleep", "60"])
    api.cancel_job(job_id=slow.id)
    assert wait(slow).stage == "CANCELED"
    got = wait(api.run_job(image="x", command=["sleep", "60"], timeout="1s"))
    assert got.stage == "ERROR" and got.message == "Job timeout", got


def p36():
    raises(JobNotFoundError, lambda: api.inspect_job(job_id="f" * 24), "404")
    job = api.run_job(image="x", command=["true"], labels={"k": "v"})
    wait(job)
    if "labels" in inspect.signature(api.list_jobs).parameters:
        assert [x.id for x in api.list_jobs(labels={"k": "v"})] == [job.id]
        assert not list(api.list_jobs(labels={"k": "w"}))
    assert job.id in [x.id for x in api.list_jobs()] and len(list(api.list_jobs())) > 1


def p37():
    job = api.run_uv_job("https://example.test/s.py", dependencies=["trl"], script_args=["--x", "1"])
    got = api.inspect_job(job_id=job.id)
    words = (got.command or []) + (got.arguments or [])
    assert words[:2] == ["uv", "run"] and "--with" in words and words[-3:] == ["https://example.test/s.py", "--x", "1"], words
    wait(job)


def started():
    request = urllib.request.Request(E + "/api/jobs/bob", headers={"Authorization": "Bearer hf_bob_write"})
    return [x for x in json.loads(urllib.request.urlopen(request).read()) if x["initiator"]["type"] == "scheduled-job"]


def p38():
    s = api.create_scheduled_job(image="x", command=["echo", "hi"], schedule="@hourly")
    api.suspend_scheduled_job(scheduled_job_id=s.id)
    assert api.inspect_scheduled_job(scheduled_job_id=s.id).suspend is True
    assert [x.id for x in api.list_scheduled_jobs()] == [s.id]
    control("clock", {"advance": "1h"})
    time.sleep(0.2)
    assert not started()
    api.resume_scheduled_job(scheduled_job_id=s.id)
    assert not api.inspect_scheduled_job(scheduled_job_id=s.id).suspend
    control("clock", {"advance": "1h"})
    for _ in range(200):
        if started():
            break
        time.sleep(0.05)
    assert [x["initiator"]["id"] for x in started()] == [s.id]
    api.delete_scheduled_job(scheduled_job_id=s.id)
    assert not list(api.list_scheduled_jobs())


def p39():
    api.create_repo("bob/sp", repo_type="space", space_sdk="gradio")
    status(402, lambda: alice.create_repo("alice/sp", repo_type="space", space_sdk="docker"))


def p40():
    api.add_space_secret("bob/sp", "KEY", "verysecret")
    if hasattr(api, "get_space_secrets"):
        secrets = api.get_space_secrets("bob/sp")
        assert list(secrets) == ["KEY"] and "verysecret" not in str(secrets), secrets
    api.add_space_variable("bob/sp", "COLOR", "blue")
    assert api.get_space_variables("bob/sp")["COLOR"].value == "blue"
    api.delete_space_variable("bob/sp", "COLOR")
    api.delete_space_secret("bob/sp", "KEY")
    assert not api.get_space_variables("bob/sp")


def p41():
    assert api.pause_space("bob/sp").stage == "PAUSED"
    api.restart_space("bob/sp", factory_reboot=True)
    got = api.request_space_hardware("bob/sp", "t4-small", sleep_time=300)
    assert got.requested_hardware == "t4-small" and got.sleep_time == 300, got
    assert api.set_space_sleep_time("bob/sp", 600).sleep_time == 600


def p42():
    api.upload_file(path_or_fileobj=b"print('hello')\n", path_in_repo="app.py", repo_id="bob/sp", repo_type="space")
    made = api.duplicate_repo("bob/sp", "bob/sp2", repo_type="space")
    assert str(made) == E + "/spaces/bob/sp2" and api.space_info("bob/sp2").id == "bob/sp2"
    control("clock", {"advance": "10m"})
    lines = list(api.fetch_space_logs("bob/sp2", build=True))
    assert lines and all(isinstance(x, str) for x in lines), lines


def p43():
    c = api.create_collection("Mine", namespace="bob")
    c = api.add_collection_item(c.slug, "bob/m2", "model")
    status(409, lambda: api.add_collection_item(c.slug, "bob/m2", "model"))
    api.add_collection_item(c.slug, "bob/m2", "model", exists_ok=True)
    c = api.update_collection_metadata(c.slug, description="best")
    assert c.description == "best" and len(api.get_collection(c.slug).items) == 1
    api.delete_collection(c.slug)


def p44():
    api.create_bucket("bob/store")
    got = api.bucket_info("bob/store")
    assert type(got).__name__ == "BucketInfo" and got.id == "bob/store" and got.size == 0, got


def limit(seconds):
    policy = '"fixed window";"api";q=500;w=300'
    return {"status": 429, "headers": {"RateLimit": f'"api";r=0;t={seconds}', "RateLimit-Policy": policy}}


def lasts(seconds, call):
    start = time.monotonic()
    call()
    took = time.monotonic() - start
    assert seconds <= took < seconds + 10, f"took {took:.1f} s, want {seconds}"


def write(name):
    return api.upload_file(path_or_fileobj=name.encode(), path_in_repo=name, repo_id="bob/m2")


def p45():
    faults({"match": {"path": "/preupload/", "count": 2}, "do": {"status": 503}})
    lasts(3, lambda: write("r1.txt"))  # 1 + 2
    mark()
    faults({"match": {"path": "/preupload/", "count": 1}, "do": limit(2)})
    lasts(3, lambda: write("r2.txt"))  # what is left of the window, and 1
    mark()
    faults({"match": {"path": "/commit/", "count": 1}, "do": {"status": 503}})
    lasts(0, lambda: status(503, lambda: write("r3.txt")))
    mark()
    faults({"match": {"path": "^/api/models/bob/m2$", "count": 1}, "do": limit(55)})
    status(429, lambda: api.model_info("bob/m2"), "55 seconds (0/500 requests")
    faults({"match": {"path": "whoami", "count": 1}, "do": limit(55)})
    status(429, HfApi(token="hf_bob_write").whoami, "whoami")


def p46():
    fs = HfFileSystem(token="hf_bob_write")
    assert "bob/m2/q.txt" in fs.ls("bob/m2", detail=False) and fs.read_text("bob/m2/q.txt") == "q\n"


def p47():
    api.delete_repo("bob/m2")
    raises(RepositoryNotFoundError, lambda: api.delete_repo("bob/m2"))
    api.delete_repo("bob/m2", missing_ok=True)


# What clients of different ages can do.
RESUMES = "RemoteProtocolError" in inspect.getsource(sys.modules["huggingface_hub.file_download"].http_get)
FOLLOW = {"follow": True} if "follow" in inspect.signature(api.fetch_job_logs).parameters else {}

for name in sys.stdin:
    name, error = name.strip(), ""
    try:
        globals()[name.lower()]()
    except Exception as err:
        where = traceback.extract_tb(err.__traceback__)
        line = [f.lineno for f in where if f.filename == __file__][-1]
        error = f"rows.py:{line}: {type(err).__name__}: {' '.join(str(err).split())[:1000]}"
    print(json.dumps({"row": name, "error": error}), flush=True)
