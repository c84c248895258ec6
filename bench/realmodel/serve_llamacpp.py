"""Starts llama.cpp's own HTTP server, as the package xllamacpp carries it.

    python serve_llamacpp.py FILE.gguf PORT [CONTEXT]
"""

import sys
import time

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"tiny-trainer"}
params.n_ctx = int(sys.argv[3]) if len(sys.argv) > 3 else 32768
params.n_parallel = 1
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.cpuparams.n_threads = 2
params.cpuparams_batch.n_threads = 2
params.use_jinja = True
params.sampling.temp = 0.0  # what a request does not set; always the likeliest token
server = xllamacpp.Server(params)
print("listening on", server.listening_address, flush=True)
while True:
    time.sleep(3600)
