"""The fit finds again what made the rows, and priors hold what no row informs."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from perf_cases import deployment

from inferometer.calibrate.bench import compile_groups
from inferometer.calibrate.design import design
from inferometer.calibrate.fit import fit, tasks
from inferometer.calibrate.forecast import forecast
from inferometer.calibrate.measurement import Load, Observation, Row, Subject
from inferometer.calibrate.metric import metric
from inferometer.calibrate.overlay import fit_source, fitted, unfitted
from inferometer.catalog.efficiency import Efficiencies, efficiencies


def rows(truth: Efficiencies, *, chip: str = "h100-sxm") -> list[Observation]:
    """Return a sweep whose measured values are what `truth` predicts."""
    blank = [
        Observation(
            row=Row(key=f"{name}-{tensor}-{clients}", source="lab", family=name, gpu=chip,
                    model=name, cells={}, metrics={}, layout="serving"),
            subject=Subject(deployment=deployment(name, chip, tensor=tensor, sequences=512)),
            load=Load(kind="closed", inputs=float(inputs), outputs=300.0, clients=float(clients)),
        )
        for name in ("llama-3.1-8b", "llama-3.1-70b")
        for tensor in (4, 8)
        for clients in (1, 4, 16, 64, 256)
        for inputs in (100, 2000)
    ]  # fmt: skip
    (group,) = compile_groups(blank, truth)
    columns = forecast(group)
    values = {m: metric(m, columns, group.loads) for m in ("tpot_ms_p50", "ttft_ms_p50")}
    return [
        replace(o, row=replace(o.row, metrics={m: float(v[i]) for m, v in values.items()
                                               if v is not None}))
        for i, o in enumerate(group.observations)
    ]  # fmt: skip


def changed(base: Efficiencies, **factors: float) -> Efficiencies:
    return {k: replace(v, base=v.base * factors.get(k, 1.0)) for k, v in base.items()}


def test_fit_predicts_the_rows_that_other_parameters_made() -> None:
    start = unfitted(efficiencies())
    truth = changed(start, weight_bandwidth=0.7, step_overhead=3.0, linear_compute=0.8, link=0.6)
    observations = rows(truth)
    groups = compile_groups(observations, start)
    parameters = design(groups, start)
    theta = fit(parameters, tasks(groups, parameters), rounds=6)
    found = fitted(parameters, theta, start, fit_source(["lab"], dt.date(2026, 1, 1)))
    (group,) = compile_groups(observations, found)
    columns = forecast(group)
    for name in ("tpot_ms_p50", "ttft_ms_p50"):
        predicted = metric(name, columns, group.loads)
        measured = np.array([o.row.metrics[name] for o in group.observations])
        assert predicted is not None
        assert np.median(np.abs(np.log(predicted / measured))) < 0.02


def test_what_silicon_lacks_is_put_down_to_it_and_not_to_all_else() -> None:
    # arithmetic at a twelfth of the rate on one chip; with normal priors the base, the engine and
    # the other chip would bend to meet it half way
    start = unfitted(efficiencies())
    compute = start["linear_compute"]
    slow = replace(compute, factors={"kernel:vllm/bf16/cdna3": 0.08})
    truth = {**start, "linear_compute": slow}
    observations = rows(truth, chip="h100-sxm") + rows(truth, chip="mi300x")
    groups = compile_groups(observations, start)
    parameters = design(groups, start)
    theta = fit(parameters, tasks(groups, parameters), rounds=9)
    factors = {
        key: float(value)
        for (name, key), value in zip(parameters.names, theta - parameters.start, strict=True)
        if name == "linear_compute"
    }
    chip = ("architecture:cdna3", "accelerator:mi300x", "kernel:vllm/bf16/cdna3", "make:amd")
    assert sum(factors[key] for key in chip) < np.log(0.15)
    assert max(abs(value) for key, value in factors.items() if key not in chip) < 0.15


def test_what_no_row_informs_keeps_its_prior() -> None:
    start = unfitted(efficiencies())
    observations = rows(start)
    groups = compile_groups(observations, start)
    parameters = design(groups, start)
    theta = fit(parameters, tasks(groups, parameters), rounds=3)
    base = parameters.names.index(("expert_bandwidth", ""))  # both models are dense
    assert theta[base] == pytest.approx(parameters.start[base], abs=1e-6)
    assert not any("a100" in key for _, key in parameters.names)
