# One transfer with the official client, which times itself.
import json, os, time

from huggingface_hub import HfApi, hf_hub_download

api = HfApi()
model, name, role = os.environ["BENCH_MODEL"], os.environ["BENCH_NAME"], os.environ["ML_INTERN_BENCH_ROLE"]


def memory():
    """The resident size of this process, now and at most, in MB."""
    try:
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    except OSError:
        return 0, 0
    return [int(lines[key].split()[0]) * 1024 / 1e6 for key in ("VmRSS", "VmHWM")]


path, before, begun = "", memory()[0], time.monotonic()
if role == "upload":
    api.upload_file(path_or_fileobj=os.environ["BENCH_FILE"], path_in_repo=name, repo_id=model)
else:
    path = hf_hub_download(model, name)
took = time.monotonic() - begun
print(json.dumps({"Seconds": took, "BeforeMB": before, "PeakMB": memory()[1], "Path": path}))
