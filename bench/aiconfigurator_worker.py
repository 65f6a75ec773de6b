"""Runs inside the environment of aiconfigurator: questions on stdin, its answers on stdout.

Standard library and aiconfigurator alone, since nothing of ours is installed there.
"""

import copy
import functools
import json
import logging
import sys
from pathlib import Path
from typing import Any

import aiconfigurator_core  # pyrefly: ignore[missing-import]
import yaml
from aiconfigurator.cli.api import cli_estimate  # pyrefly: ignore[missing-import]

PARSE = yaml.safe_load


@functools.cache
def parsed(text: str | bytes) -> Any:
    """Return a parsed file; the tool reads its five hundred afresh at every call."""
    return PARSE(text)


def load(stream: Any) -> Any:
    """Return what `yaml.safe_load` returns, parsed once per text."""
    return copy.deepcopy(parsed(stream if isinstance(stream, str | bytes) else stream.read()))


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Return TTFT and TPOT in ms, or the reason for which there are none."""
    try:
        found = cli_estimate(**question)
    except Exception as error:
        return {"reason": f"{type(error).__name__}: {error}"[:200]}
    version = str(found.backend_version)
    return {"ttft_ms": float(found.ttft), "tpot_ms": float(found.tpot), "version": version}


def main() -> None:
    """Answer every question, or with `--models` list the models that the tool can describe."""
    logging.disable(logging.CRITICAL)
    if "--models" in sys.argv:
        folder = Path(aiconfigurator_core.__file__).parent / "model_configs"
        names = [file.name.removesuffix("_config.json") for file in folder.glob("*_config.json")]
        names = [name.replace("--", "/", 1) for name in names if not name.endswith("_hf_quant")]
        print(json.dumps(sorted(names)))
        return
    yaml.safe_load = load
    out = sys.stdout
    sys.stdout = sys.stderr  # the tool prints
    answers = [answer(question) for question in json.load(sys.stdin)]
    print(json.dumps(answers), file=out)


if __name__ == "__main__":
    main()
