"""A llama.cpp server from one JSON argument; run as a file by whichever Python has `xllamacpp`.

It imports nothing of Inferometer, so that the engine may live in an environment of its own. It ends
on SIGTERM, and when the process that started it is gone.
"""

import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

LOOK = 0.5
"""Seconds between two looks at whether the parent still lives."""

MATCH = 3
"""Last tokens of a sequence that must have occurred in it before a draft is taken from there."""


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    asked = json.loads(sys.argv[1])
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    engine = importlib.import_module("xllamacpp")
    server = engine.Server(_parameters(engine, asked))
    sys.stdout.write(f"listening {server.listening_address}\n")
    sys.stdout.flush()
    while not ended.wait(LOOK):
        if os.getppid() != asked["parent"]:
            break
    os._exit(0)  # the server's destructor waits for every open connection


def _parameters(engine: Any, asked: Mapping[str, Any]) -> Any:
    found = engine.CommonParams()
    found.model.path, found.model_alias = asked["model"], {asked["alias"]}
    found.port, found.n_parallel = asked["port"], asked["slots"]
    found.n_ctx = asked["slots"] * asked["context"]  # of all slots together
    found.kv_unified = asked["unified"]
    if asked["unified"]:  # else one slot may take what the others need
        found.kv_unified_per_slot = asked["context"]
    found.n_batch = max(asked["batch"], asked["micro_batch"])
    found.n_ubatch = asked["micro_batch"]
    found.cache_prompt, found.cache_ram_mib = asked["prefix_cache"], 0
    kind = getattr(engine.ggml_type, f"GGML_TYPE_{asked['kv'].upper()}")
    found.cache_type_k = found.cache_type_v = kind
    if asked["threads"]:
        found.cpuparams.n_threads = found.cpuparams_batch.n_threads = asked["threads"]
    if asked["draft"]:
        kinds = engine.common_speculative_type
        found.speculative.types = [kinds.COMMON_SPECULATIVE_TYPE_NGRAM_MAP_K]
        found.speculative.ngram_map_k.size_n = MATCH
        found.speculative.ngram_map_k.size_m = asked["draft"]
    found.endpoint_metrics = found.endpoint_slots = found.endpoint_props = True
    found.verbosity = 1
    return found


if __name__ == "__main__":
    main()
