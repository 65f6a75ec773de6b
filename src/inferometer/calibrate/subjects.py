"""What a row measured: its deployment, with engine defaults where it says nothing."""

from dataclasses import replace

import numpy as np

from inferometer.calibrate.inferencex import DRAFTING
from inferometer.calibrate.layouts import stated_workers
from inferometer.calibrate.measurement import Row
from inferometer.calibrate.resolution import (
    accelerator,
    catalog_of,
    engine,
    latent,
    lineage,
    precision,
)
from inferometer.calibrate.tables import number
from inferometer.catalog import tables
from inferometer.catalog.models import Model
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Speculation

MULTI_TOKEN = Speculation(draft_tokens=3, acceptance=0.62, draft_cost=0.05)
"""Multi-token prediction as InferenceX runs it on TensorRT-LLM: three drafted tokens. Acceptance
and cost are assumed such that rows of these runs lie as far below rows of equal configuration that
do not draft (50 pairs, 1.2 to 2.3 times, median 1.6) as the model says."""

_MULTI_TOKEN_RUNS = (("1.2.0rc6.post3", ""), ("", "2026-01-14"))
"""Version and date of the aggregated runs that draft, "" for any: the source does not say so, but
each has a twin of the same configuration, clients and lengths that is slower by that much."""


def speculation(row: Row, model: Model) -> Speculation | None:
    """Return the drafts of a row that counts them, or whose run is known to use them."""
    if row.cells.get("draft_tokens"):
        return replace(
            MULTI_TOKEN,  # its cost, which no file states
            draft_tokens=int(row.cells["draft_tokens"]),
            acceptance=float(row.cells["acceptance"]),
        )
    if row.cells.get(DRAFTING):
        return MULTI_TOKEN  # as in the same laboratory's runs that say how much they draft
    if not latent(model) or "inferencex" not in row.source or lineage(row) != "trtllm":
        return None
    if row.cells.get("prefill_cfg", ""):
        return (
            None
            if stated_workers(row) or row.cells.get("measured_date", "") < "2026"
            else MULTI_TOKEN
        )
    run = row.cells.get("engine_version", ""), row.cells.get("measured_date", "")
    known = any(
        version in {"", run[0]} and date in {"", run[1]} for version, date in _MULTI_TOKEN_RUNS
    )
    return MULTI_TOKEN if known else None


def deployment(
    row: Row, model: Model, parallelism: Parallelism, *, replicas: int, sequences: float
) -> Deployment:
    """Return the deployment of a row, with engine defaults where it says nothing.

    Args:
        row: The row.
        model: Its model.
        parallelism: Layout of one replica.
        replicas: Replicas.
        sequences: Sequences that every data-parallel rank must admit.
    """
    chip, runs = accelerator(row), engine(row)
    tokens = _budget(row) or runs.max_batched_tokens
    return Deployment(
        model=model,
        accelerator=chip,
        node=tables.node(chip.key, catalog_of(row)),
        parallelism=parallelism,
        precision=precision(row, model),
        settings=EngineSettings(
            engine=runs,
            max_num_seqs=max(int(sequences), 1),
            max_batched_tokens=int(tokens),
            memory_fraction=runs.memory_fraction,
            prefix_caching=False,
        ),
        replicas=replicas,
        speculation=speculation(row, model),
    )


def _budget(row: Row) -> float:
    """Return the token budget of a step that a row states or implies, 0 if it does neither.

    InferenceX starts TensorRT-LLM with room for one prompt beside one token of each client, rounded
    to 64: prompts are never prefilled together, however many wait. Not so for gpt-oss.
    """
    stated = number(row.cells.get("max_num_batched_tokens", ""))
    if stated:
        return stated
    recipe = "inferencex" in row.source and lineage(row) == "trtllm"
    if not recipe or "gpt-oss" in row.model:
        return 0.0
    prompt = number(row.cells.get("isl", "")) or 0.0
    clients = number(row.cells.get("concurrency_or_rate", "")) or 0.0
    return float(np.ceil((prompt + clients) / 64 + 1) * 64) if prompt else 0.0
