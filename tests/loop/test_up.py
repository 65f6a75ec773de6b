"""`inferometer up` with the real engine: it serves, comes back, and leaves nothing running."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from loop_cases import alive, command, gone, require_engine, run

from inferometer.errors import EngineError
from inferometer.loop.launch import model_file
from inferometer.loop.service import Service, start, stop
from inferometer.loop.supervise import running
from inferometer.loop.variants import format_of, weights_file


def _asked(address: str, key: str) -> int:
    body = {"model": "local", "prompt": "Once upon a time", "max_tokens": 4}
    request = urllib.request.Request(  # noqa: S310
        f"{address}/completions",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
        answer = json.loads(reply.read())
    tokens: int = answer["usage"]["completion_tokens"]
    return tokens


def _until(errors: "subprocess.Popen[str]", pattern: str) -> re.Match[str]:
    assert errors.stderr is not None
    for line in errors.stderr:
        if found := re.search(pattern, line):
            return found
    raise AssertionError(f"nothing like {pattern} was said")


def test_it_serves_comes_back_and_ends(tmp_path: Path) -> None:
    require_engine()
    words = ("up", "--port", "0", "--control-port", "0", "--folder", str(tmp_path))
    quiet = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet
    ) as whole:
        assert whole.stdout is not None
        try:
            engine = int(_until(whole, r"llama.cpp 0: ready .*process (\d+)")[1])
            gateway = int(_until(whole, r"gateway: ready .*process (\d+)")[1])
            lines = (whole.stdout.readline() for _ in range(7))
            said = {line[:16].strip(): line[16:].strip() for line in lines}
            assert _asked(said["gateway"], said["key of local"]) == 4
            os.kill(engine, signal.SIGKILL)
            again = int(_until(whole, r"ready again .*process (\d+)")[1])
            assert _asked(said["gateway"], said["key of local"]) == 4
            whole.send_signal(signal.SIGTERM)
            assert whole.wait(timeout=30) == 0
        finally:
            whole.kill()
        assert gone([engine, again, gateway])
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert said["key of local"].encode() not in kept


def test_children_end_when_the_parent_is_killed(tmp_path: Path) -> None:
    require_engine()
    words = ("up", "--port", "0", "--control-port", "0", "--folder", str(tmp_path))
    with subprocess.Popen(  # noqa: S603
        command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as whole:
        engine = int(_until(whole, r"llama.cpp 0: ready .*process (\d+)")[1])
        gateway = int(_until(whole, r"gateway: ready .*process (\d+)")[1])
        whole.kill()
    assert gone([engine, gateway])


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    require_engine()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run(("up", "--port", str(port), "--folder", str(tmp_path)))
    assert refused.returncode == 2
    assert f"gateway: port {port} is taken" in refused.stderr


def test_a_missing_engine_is_named_with_its_remedy(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    bare.chmod(0o755)
    for python, said in ((str(bare), "engine missing"), ("/nowhere/python", "no such file")):
        refused = run(("up", "--port", "0"), INFEROMETER_ENGINE_PYTHON=python)
        assert refused.returncode == 2
        assert said in refused.stderr
    refused = run(("up", "--engine", "vllm", "--model", "x"), INFEROMETER_ENGINE_PYTHON="")
    assert refused.returncode == 2
    assert "no vllm" in refused.stderr


def test_a_truncated_model_is_named(tmp_path: Path) -> None:
    require_engine()
    whole = model_file()
    cut = tmp_path / "cut.gguf"
    with whole.open("rb") as file:
        cut.write_bytes(file.read(whole.stat().st_size // 2))
    refused = run(("up", "--model", str(cut), "--port", "0"))
    assert refused.returncode == 2
    assert "file truncated" in refused.stderr


def test_an_engine_that_ends_at_once_says_why(tmp_path: Path) -> None:
    service = Service(
        name="engine",
        words=(sys.executable, "-c", "raise SystemExit('no memory for it')"),
        ready_url="http://127.0.0.1:9/health",
        log=tmp_path / "log",
    )
    with pytest.raises(EngineError, match="no memory for it"), running([service], say=print):
        pass
    assert not service.running


def test_what_a_dead_process_started_is_ended_too(tmp_path: Path) -> None:
    words = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', "
    words += "'import time; time.sleep(60)']).pid, flush=True)"
    service = Service(
        name="s", words=(sys.executable, "-c", words), ready_url="", log=tmp_path / "log"
    )
    start(service)
    assert service.process is not None
    service.process.wait()
    child = int((tmp_path / "log").read_text())
    assert not service.running
    assert alive(child)
    stop([service])
    assert gone([child])


def test_a_variant_is_a_whole_model_in_its_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_engine()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = weights_file("q4_0", None, lambda _: None)
    assert format_of(made) == "q4_0"
    assert made.stat().st_size < model_file().stat().st_size
    assert weights_file("q4_0", None, pytest.fail) == made
    assert weights_file("as-shipped", None, pytest.fail) == model_file()
