"""The vectorised step of the theory against a scalar twin written from the equations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.perf.theory.architecture import Architecture, architecture, architectures
from inferometer.perf.theory.chip import Chip, Collectives, chip, chips
from inferometer.perf.theory.step import Question, step

PROTOCOLS = ((0.6e-6, 5e-6, 6.8e-6, 0.5), (1.25e-6, 8.5e-6, 14e-6, 0.95), (28e-6, 28e-6, 0, 1))


def collective(c: Chip, r: float, k: float, x: float, mu: float, eta: float) -> float:
    if r <= 1:
        return 0.0
    if c.collectives is Collectives.RING:
        return mu * (r - 1) * 1e-6 + eta * (r - 1) * x / (r * c.inter_bandwidth)
    found: list[float] = []
    for near, far, base, share in PROTOCOLS:
        latency = mu * ((r / k - 1) * near + far * math.log2(k)) + base
        inside = k * max(0.0, r / k - 1) * x / (r * c.intra_bandwidth * share)
        found.append(latency + eta * (inside + (k - 1) * x / (r * c.inter_bandwidth * share)))
    return min(found)


def one(
    m: Architecture,
    c: Chip,
    point: tuple[float, float],
    load: tuple[float, float],
    layout: tuple[int, bool],
) -> float:
    (n_gpu, batch), (ctx, q), (p, flat) = point, load, layout
    n, t, s = n_gpu / p, batch / p * q, m.experts // m.active_experts
    t1, t2 = (math.sqrt(n), math.sqrt(n)) if flat else (n, 1.0)
    d, f, qkv, out = m.width, m.feedforward, m.qkv_width, m.heads * m.head_size
    pw, pa = m.weight_bytes, m.activation_bytes
    phi = 1 - (1 - 1 / s) ** t if s > 1 else 1.0
    ff = phi * m.experts * (m.matrices_in + m.matrices_out)
    ff *= pw * d * f + pa * (t / s) * (t2 * d + t1 * f)
    layer = ff + pw * d * qkv + pa * t2 * d * t + t1 * qkv * t
    layer += pw * out * d + pa * t * (t2 * d + t1 * out)
    moved = m.kv_bytes * ctx * batch / p + m.layers * layer + pw * m.vocabulary * d
    memory = p * moved / (n_gpu * c.memory_bandwidth)
    flop = 2 * m.active_parameters * batch * q
    flop += 4 * m.head_size * m.heads * m.layers * ctx * batch * q * m.attention_flop_factor
    widths = [d, m.active_experts * m.matrices_out * d]
    r, k = n, float(math.ceil(n / c.node_size))
    if flat:
        widths = [qkv, d, m.active_experts * m.matrices_in * f, widths[1]]
        r, k = math.sqrt(n), math.sqrt(k)
    sizes = [w * t * pa / (math.sqrt(n) if flat else 1) for w in widths]
    network = sum(m.layers * collective(c, r, k, x, 2, 1) for x in sizes)
    network += (p - 1) * collective(c, 2, 2, d * t * pa / n, 1, 0.5)
    arithmetic = flop / (n_gpu * c.peak(pw))
    return 4 * m.layers * c.kernel_latency + network + max(memory, arithmetic)


def twin(m: Architecture, c: Chip, n: float, batch: float, ctx: float, q: float) -> float:
    if n * c.memory < m.kv_bytes * ctx * batch + m.weight_bytes * m.parameters:
        return math.inf
    layouts = [(p, flat) for flat in (True, False) for p in (1, 2, 4, 6) if p <= min(n, batch)]
    return min((one(m, c, (n, batch), (ctx, q), x) for x in layouts), default=math.inf)


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(sorted(architectures())),
    st.sampled_from(sorted(chips())),
    st.lists(st.tuples(st.floats(0.5, 3e3), st.floats(1, 1e4)), min_size=1, max_size=5),
    st.sampled_from([0.0, 1000.0, 10000.0]),
    st.integers(1, 5),
)
def test_vectorised_step_equals_its_scalar_twin(
    model: str, gpu: str, points: list[tuple[float, float]], context: float, tokens: int
) -> None:
    m, c = architecture(model), chip(gpu)
    numbers, batches = np.array(points).T
    ours = step(Question(model=m, chip=c, context=context, tokens=tokens), numbers, batches).total
    theirs = [twin(m, c, n, b, context, tokens) for n, b in points]
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_worked_example() -> None:
    parts = step(
        Question(model=architecture("llama3-70b"), chip=chip("H100")), np.array(8), np.array(32)
    )
    assert (float(parts.columns), float(parts.stages)) == (1, 1)
    milliseconds = [1e3 * float(x) for x in (parts.kernel, parts.net_latency, parts.net_bandwidth)]
    assert milliseconds == pytest.approx([1.280, 2.432, 0.652], abs=5e-4)
    assert 1e3 * float(parts.memory) == pytest.approx(5.427, abs=5e-4)
    assert 1e3 * float(parts.arithmetic) == pytest.approx(0.564, abs=5e-4)
    assert 1e3 * float(parts.total) == pytest.approx(9.792, abs=1e-3)
