"""Machines of several models side by side: what calibration evaluates in one pass.

`Candidates` hold one model, since a search plans one; measurements come from many. Once compiled,
nothing but the number of distinct attention windows differs in shape, and that is padded.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from inferometer.candidates import Candidates, Floats
from inferometer.perf.network import Links
from inferometer.perf.rates import Rates
from inferometer.perf.roofline import Machine
from inferometer.perf.sharding import Shard

_BY_REACH = ("context_flop", "prefill_context_flop", "kv_bytes", "read_bytes")
_PADDING = 1.0
"""Reach of a window that a model does not have: finite, so that zero bytes stay zero."""


def stack(machines: Sequence[Machine]) -> Machine:
    """Return one machine with the configurations of all `machines`, in their order.

    Its `candidates` keep the columns that evaluation reads; their `model` is the first one's and
    means nothing. All must share prefix caching and speculation.
    """
    sizes = [len(machine.candidates) for machine in machines]
    links = {f.name: _joined([getattr(m.links, f.name) for m in machines], sizes)
             for f in fields(Links)}  # fmt: skip
    rates = [np.concatenate(columns) for columns in zip(*(m.rates for m in machines), strict=True)]
    return Machine(
        candidates=_candidates([machine.candidates for machine in machines]),
        shard=_shard([machine.shard for machine in machines], sizes),
        links=Links(**links),
        rates=Rates(*rates),
    )


def _joined(values: Sequence[float | Floats], sizes: Sequence[int]) -> Floats:
    return np.concatenate(
        [np.broadcast_to(np.asarray(v, np.float64), n) for v, n in zip(values, sizes, strict=True)]
    )


def _shard(shards: Sequence[Shard], sizes: Sequence[int]) -> Shard:
    most = max(len(shard.reaches) for shard in shards)
    joined: dict[str, Any] = {
        field.name: _joined([getattr(shard, field.name) for shard in shards], sizes)
        for field in fields(Shard)
        if field.name not in {"reaches", *_BY_REACH}
    }
    for name in _BY_REACH:
        joined[name] = np.concatenate(
            [_padded(getattr(shard, name), most, 0.0) for shard in shards], axis=1
        )
    reaches = [
        np.broadcast_to(
            np.array(shard.reaches).reshape(len(shard.reaches), -1), (len(shard.reaches), size)
        )
        for shard, size in zip(shards, sizes, strict=True)
    ]
    spans = np.concatenate([_padded(reach, most, _PADDING) for reach in reaches], axis=1)
    return Shard(reaches=spans, **joined)


def _padded(rows: Floats, most: int, value: float) -> Floats:
    return np.pad(rows, ((0, most - len(rows)), (0, 0)), constant_values=value)


def _candidates(tables: Sequence[Candidates]) -> Candidates:
    columns: dict[str, Any] = {
        field.name: np.concatenate([getattr(table, field.name) for table in tables])
        for field in fields(Candidates)
        if isinstance(getattr(tables[0], field.name), np.ndarray)
    }
    offsets = {
        name: np.cumsum([0, *(len(getattr(table, records)) for table in tables[:-1])])
        for name, records in _RECORDS.items()
    }
    for name, offset in offsets.items():
        columns[name] = np.concatenate(
            [getattr(table, name) + start for table, start in zip(tables, offset, strict=True)]
        )
    records: dict[str, Any] = {
        name: tuple(record for table in tables for record in getattr(table, name))
        for name in ("accelerators", "nodes", "precisions", "engines")
    }
    return replace(tables[0], **columns, **records)


_RECORDS = {"accelerator": "accelerators", "precision": "precisions", "engine": "engines"}
