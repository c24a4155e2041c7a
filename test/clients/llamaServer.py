"""llama.cpp's own HTTP server, as the wheel xllamacpp carries it. Arguments: GGUF file, port, tokens of context."""

import signal
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.port = int(sys.argv[2])
params.n_ctx = int(sys.argv[3])
params.n_parallel = 1
params.cpuparams.n_threads = 1
params.warmup = False
server = xllamacpp.Server(params)
print("Listening on", server.listening_address, flush=True)
signal.pause()
