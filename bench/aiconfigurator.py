"""Ask aiconfigurator 0.12 for the rows that it covers, in an environment of its own.

    python bench/aiconfigurator.py ../shared/data/measured/serving.csv

About five minutes for the installation (600 MB) and a second per row. Its kernel tables are used,
its sample of silicon is not. Answers go to build/aiconfigurator.json; `python docs/rivals.py` puts
them beside ours on the accuracy page. Only aggregated closed loops are asked: its estimate is of a
steady batch. Releases that it no longer has tables of are estimated with its current ones.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inferometer.calibrate.files import read
from inferometer.calibrate.finding import finder
from inferometer.calibrate.measurement import Observation
from inferometer.calibrate.observation import observe
from inferometer.catalog.models import Model, model
from inferometer.deployment import Deployment
from inferometer.errors import InferometerError

RELEASE = "aiconfigurator==0.12.0"
ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = {
    "a100-sxm-80gb": "a100_sxm", "h100-sxm": "h100_sxm", "h200-sxm": "h200_sxm",
    "b200": "b200_sxm", "b300": "b300_sxm", "gb200": "gb200", "gb300": "gb300", "l40s": "l40s",
}  # fmt: skip
FORMATS = {
    "bf16": "bfloat16",
    "fp16": "bfloat16",
    "fp8": "fp8",
    "nvfp4": "nvfp4",
    "int4": "int4_wo",
}
BACKENDS = {"vllm", "sglang", "trtllm"}
Question = dict[str, Any]


def main() -> None:
    """Choose rows, ask, and write the answers."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("data", type=Path)
    options.add_argument("--environment", type=Path, default=ROOT / "build" / "aiconfigurator")
    options.add_argument("--per-cell", type=int, default=16)
    options.add_argument("--output", type=Path, default=ROOT / "build" / "aiconfigurator.json")
    asked = options.parse_args()
    python = environment(asked.environment)
    named = names(json.loads(worker(python, ["--models"], "")))
    rows = [row for row in observe(read(asked.data), finder())[0] if eligible(row)]
    chosen = sample(rows, asked.per_cell)
    questions = {row.row.key: question(row, named) for row in chosen}
    possible = {key: value for key, value in questions.items() if value is not None}
    answers = json.loads(worker(python, [], json.dumps(list(possible.values()))))
    found = dict(zip(possible, answers, strict=True))
    for key in questions.keys() - found.keys():
        found[key] = {"reason": "no description of the model, or no tables of the format"}
    result = {"release": RELEASE, "eligible": len(rows), "per_cell": asked.per_cell,
              "answers": dict(sorted(found.items()))}  # fmt: skip
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    done = sum("tpot_ms" in answer for answer in found.values())
    print(
        f"{len(rows)} rows are closed loops that it may cover, {len(found)} asked, {done} answered"
    )


def environment(folder: Path) -> Path:
    """Return the interpreter of an environment with the tool, made if it is missing."""
    python = folder / "bin" / "python"
    if not python.is_file():
        venv.create(folder, with_pip=True)
    check = [str(python), "-c", "import aiconfigurator.cli.api"]
    if subprocess.run(check, capture_output=True, check=False).returncode:  # noqa: S603 - fixed arguments
        install = [str(python), "-m", "pip", "install", "--quiet", RELEASE]
        subprocess.run(install, check=True)  # noqa: S603 - fixed arguments
    return python


def worker(python: Path, arguments: Sequence[str], text: str) -> str:
    """Return what the worker prints."""
    script = Path(__file__).with_name("aiconfigurator_worker.py")
    command = [str(python), "-P", str(script), *arguments]  # -P: our folder has a file of its name
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE,  # noqa: S603 - our own script
                          text=True, check=True)  # fmt: skip
    return done.stdout.strip().splitlines()[-1]


def names(bundled: Sequence[str]) -> dict[str, list[str]]:
    """Return the tool's names of each model of our catalogue."""
    found: dict[str, list[str]] = {}
    for name in bundled:
        try:
            found.setdefault(model(name).key, []).append(name)
        except InferometerError as error:
            print(f"not in the catalogue: {name} ({str(error)[:60]})", file=sys.stderr)
    return found


def eligible(row: Observation) -> bool:
    """Return whether the tool may have an answer: an aggregated closed loop with TPOT."""
    deployment = row.subject.deployment
    engine = deployment.settings.engine
    return (
        row.load.kind == "closed"
        and row.subject.prefill is None
        and deployment.accelerator.key in SYSTEMS
        and (engine.lineage or engine.key) in BACKENDS
        and "tpot_ms_p50" in row.row.metrics
    )


def sample(rows: Sequence[Observation], each: int) -> list[Observation]:
    """Return up to `each` rows of every cell, chosen by the hash of their keys."""
    cells: dict[tuple[str, ...], list[Observation]] = {}
    for row in sorted(rows, key=lambda one: hashlib.sha256(one.row.key.encode()).hexdigest()):
        cells.setdefault(row.row.cell, []).append(row)
    return [row for members in cells.values() for row in members[:each]]


def question(row: Observation, named: dict[str, list[str]]) -> Question | None:
    """Return the arguments of its estimate; None where it knows neither model nor format."""
    deployment, load = row.subject.deployment, row.load
    layout, engine = deployment.parallelism, deployment.settings.engine
    weights = described(deployment, named.get(deployment.model.key, []), row.row.model)
    if weights is None:
        return None
    found: Question = {
        **weights,
        "system_name": SYSTEMS[deployment.accelerator.key],
        "backend_name": engine.lineage or engine.key,
        "isl": round(load.inputs),
        "osl": round(load.outputs),
        "batch_size": max(1, round(load.clients / (deployment.replicas * layout.data))),
        "tp_size": layout.tensor,
        "pp_size": layout.pipeline,
        "attention_dp_size": layout.data,
    }
    if any(layer.feed_forward.experts for layer in deployment.model.layers):
        ranks = layout.tensor * layout.data
        found["moe_tp_size"], found["moe_ep_size"] = (1, ranks) if layout.expert else (ranks, 1)
    return found


def described(deployment: Deployment, known: Sequence[str], stated: str) -> Question | None:
    """Return the model by the tool's name, and its formats where that name has others.

    A name in the row's formats goes first: the tool then takes scales and kernels from its own
    description. Otherwise a 16-bit description is asked for in the row's formats.
    """
    precision = deployment.precision
    wanted = (precision.linear.key, precision.experts.key)
    formats = {name: formats_of(deployment.model, name) for name in known}
    fitting = [name for name in known if formats[name] == wanted]
    if fitting:
        return {"model_path": stated if stated in fitting else fitting[0]}
    full = [name for name in known if formats[name] == ("bf16", "bf16")]
    if not full or not set(wanted) <= set(FORMATS):
        return None
    modes = {"gemm_quant_mode": FORMATS[wanted[0]], "moe_quant_mode": FORMATS[wanted[1]]}
    if not any(layer.feed_forward.experts for layer in deployment.model.layers):
        del modes["moe_quant_mode"]
    return {"model_path": full[0], **modes}


def formats_of(known: Model, name: str) -> tuple[str, str]:
    """Return the formats of dense layers and experts in the repository `name`."""
    for checkpoint in known.checkpoints:
        if checkpoint.name == name:
            return checkpoint.linear, checkpoint.experts or checkpoint.linear
    end = name.upper()
    found = "nvfp4" if "NVFP4" in end else "fp8" if "FP8" in end else "bf16"
    return found, found


if __name__ == "__main__":
    main()
