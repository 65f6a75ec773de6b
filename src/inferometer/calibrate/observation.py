"""Rows of measurements -> subjects and loads; what cannot be said is refused with its reason."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from inferometer.calibrate.layouts import layout, mixed_pools, pool, stated_workers
from inferometer.calibrate.measurement import Load, Observation, Pass, Refusal, Row, Subject
from inferometer.calibrate.resolution import FindModel, lineage, noted
from inferometer.calibrate.serving_load import serving_load
from inferometer.calibrate.stated import check
from inferometer.calibrate.subjects import deployment
from inferometer.calibrate.tables import number
from inferometer.catalog.models import Model
from inferometer.deployment import Deployment, Parallelism
from inferometer.errors import InferometerError
from inferometer.perf.counts import layer_counts
from inferometer.perf.rates import scales

OPEN_SEQUENCES = 256
"""Sequences that a decode pool admits where no number of clients bounds them: vLLM's default."""

TASK_INPUTS: Mapping[str, float] = {
    "lm-arena-chat": 120.0,
    "gpqa": 230.0,
    "sourcegraph-fim": 400.0,
    "llm-chat": 200.0,
    "llm-code": 170.0,
    "mllm-chat": 75.0,
}
"""Mean prompt tokens of ML.ENERGY's tasks, which its files leave out, without images. Assumed from
the data sets that its documentation names (LM Arena, GPQA Diamond, fill-in-the-middle files,
ShareGPT, EvalPlus, image chat); short against the outputs except for files and images."""

IMAGE = 576.0
"""Tokens of an image where the model's record says nothing: (336 / 14)^2 patches, LLaVA-1.5's."""


def observe(rows: Iterable[Row], find: FindModel) -> tuple[list[Observation], list[Refusal]]:
    """Return the rows that can be predicted, and the rest with their reasons."""
    observations, refusals = list[Observation](), list[Refusal]()
    for row in rows:
        try:
            check(row)
            observation = LAYOUTS[row.layout](row, find(model_name(row)))
            _check(observation.subject.deployment)
            observations.append(observation)
        except InferometerError as error:
            refusals.append(Refusal(row=row, reason=str(error).replace("\n", "; ")))
    return observations, refusals


def _check(deployment: Deployment) -> None:
    """Refuse what the performance model cannot count: arithmetic or layers that it does not know.

    Raises:
        InferometerError: the accelerator has no peak for a format, or the model no counted layer.
    """
    if deployment.model.key not in _CHECKED:
        layer_counts(deployment.model)
        _CHECKED.add(deployment.model.key)
    scales(deployment.accelerator, deployment.precision)


_CHECKED = set[str]()


def model_name(row: Row) -> str:
    """Return the model that a row names, without the tags of registries and benchmark targets."""
    name = row.model.removesuffix(" (ollama tag)")
    return name.split(" Q")[0] if " Q" in name else name


def _serving(row: Row, model: Model) -> Observation:
    load = serving_load(row)
    prefill, decode = (pool(row, model, name) for name in ("prefill_cfg", "decode_cfg"))
    if prefill is None or decode is None or mixed_pools(row):
        parallelism, replicas = layout(row, model)
        return Observation(row=row, subject=_subject(row, model, parallelism, replicas, load),
                           load=load)  # fmt: skip
    load = replace(load, balanced=not stated_workers(row))
    admitted = load.clients if load.kind == "closed" else OPEN_SEQUENCES
    main = deployment(row, model, decode[0], replicas=decode[1], sequences=admitted)
    front = deployment(row, model, prefill[0], replicas=prefill[1], sequences=admitted)
    return Observation(row=row, subject=Subject(deployment=main, prefill=front), load=load)


def _subject(
    row: Row, model: Model, parallelism: Parallelism, replicas: int, load: Load
) -> Subject:
    made = deployment(row, model, parallelism, replicas=replicas, sequences=1)
    ranks = replicas * parallelism.data
    limit = number(noted(row).get("max-num-seqs", "")) or made.settings.engine.max_num_seqs
    wanted = load.clients / ranks if load.kind in {"closed", "static", "prompt"} else limit
    made = deployment(row, model, parallelism, replicas=replicas, sequences=max(wanted, 1) + 0.999)
    return Subject(deployment=made)


def _energy(row: Row, model: Model) -> Observation:
    cells = row.cells
    held = number(cells.get("avg_batch_size", "")) or 0.0
    clients = held or number(cells.get("max_num_seqs", ""))
    inputs = number(cells.get("avg_input_len", "")) or _task_inputs(cells.get("task", ""), model)
    outputs = number(cells.get("avg_output_len", ""))
    if not clients or not outputs or min(clients, outputs, inputs) <= 0:
        raise InferometerError(
            f"{row.key}: positive max_num_seqs (or avg_batch_size) and avg_output_len are wanted"
        )
    parallelism, replicas = layout(row, model)
    load = Load(kind="closed", inputs=inputs, outputs=outputs, clients=clients * parallelism.data,
                held=held * parallelism.data)  # fmt: skip
    return Observation(
        row=row, subject=_subject(row, model, parallelism, replicas, load), load=load
    )


def _task_inputs(task: str, model: Model) -> float:
    """Return the mean prompt tokens of one of ML.ENERGY's tasks; multimodal ones bring an image."""
    image = (model.image_tokens or IMAGE) if task.startswith("mllm") else 0.0
    return TASK_INPUTS.get(task, 200.0) + image


def _dvfs(row: Row, model: Model) -> Observation:
    cells = row.cells
    batch = number(cells.get("batch", "")) or 1.0
    if lineage(row) == "llama.cpp" and re.match(STREAMS, cells.get("workload", "")):
        batch = 1.0  # one slot
    inputs = number(cells.get("isl", "")) or (2048.0 if cells.get("phase") == "prefill" else 64.0)
    outputs = number(cells.get("osl", "")) or 400.0
    kind = "prompt" if cells.get("phase") == "prefill" else "static"
    metered = SHARE_OF_A_STREAM if IN_TURN in cells.get("workload", "") else 1.0
    load = Load(kind=kind, inputs=inputs, outputs=outputs, clients=batch, metered=metered)
    parallelism, replicas = layout(row, model)
    subject = _subject(row, model, parallelism, replicas, load)
    cap = number(cells.get("power_cap_w", ""))
    return Observation(
        row=row, load=load, subject=Subject(deployment=subject.deployment, power_cap=cap)
    )


STREAMS = r"\d+ streams "
"""Workload of several streams, for which llama.cpp is assumed to have one slot: four streams of a
consumer card together get 0.89 of the rate of one, draw as much and slow as much under every power
cap (38 rows). Batched, they would read the weights once for all."""

IN_TURN = "prompts in turn"
"""Words of a workload whose draw is a mean over all of a client's run, gaps between its prompts
included."""

SHARE_OF_A_STREAM = 0.72
"""Share of such a run in which steps run. Under caps that bind, the mean draw of three accelerators
is 0.67 to 0.77 of the cap's change, which leaves the rest to idling; 0.72 fits all (1,105 rows;
`bench/clock_laws.py`)."""


def _steps(row: Row, model: Model) -> Observation:
    cells = {name: number(text) or 0.0 for name, text in row.cells.items()}
    one = Pass(
        prefill=cells.get("prefill_tokens", 0.0),
        prompts=cells.get("prefill_requests", 0.0),
        prefill_past=cells.get("prefill_kv_tokens", 0.0),
        sequences=cells.get("decode_requests", 0.0),
        context=cells.get("decode_kv_tokens", 0.0),
    )
    parallelism, replicas = layout(row, model)
    load = Load(kind="step", one_pass=one, clients=max(one.sequences, 1.0))
    return Observation(
        row=row, subject=_subject(row, model, parallelism, replicas, load), load=load
    )


def _static(row: Row, model: Model) -> Observation:
    cells = row.cells
    batch, length = number(cells.get("batch", "")), number(cells.get("seq_len", ""))
    if batch is None or length is None:
        raise InferometerError(f"{row.key}: batch and seq_len are wanted")
    parallelism, replicas = layout(row, model)
    load = Load(kind="static", inputs=length, outputs=1.0, clients=batch)
    share = (number(cells.get("sm_percent", "")) or 100.0) / 100
    subject = _subject(row, model, parallelism, replicas, load)
    return Observation(
        row=row, load=load, subject=Subject(deployment=subject.deployment, compute_share=share)
    )


LAYOUTS: Mapping[str, Callable[[Row, Model], Observation]] = {
    "serving": _serving,
    "energy": _energy,
    "dvfs": _dvfs,
    "steps": _steps,
    "steps_static": _static,
}
"""How each layout of measurements says subject and load."""
