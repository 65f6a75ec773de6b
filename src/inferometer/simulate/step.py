"""Time of one step, or of n steps in closed form; runs as it is, and compiled (`compiled`)."""

from inferometer.simulate.coefficients import StepCoefficients


def soft_max(compute: float, memory: float, sharpness: float) -> float:
    """Return (c^p + m^p)^(1/p), as `perf.roofline.soft_max`."""
    top = max(compute, memory)
    if top <= 0.0:
        return 0.0
    return top * (1.0 + (min(compute, memory) / top) ** sharpness) ** (1.0 / sharpness)


def matrix_times(
    step: StepCoefficients, sequences: int, prefill: int, queries: int
) -> tuple[float, float, float]:
    """Return busy time, arithmetic and memory traffic of everything but attention, s.

    Busy time includes collectives; none of the three grows with the context.

    Args:
        step: Step time.
        sequences: Decoding sequences.
        prefill: Prompt tokens.
        queries: Tokens of a decoding sequence: 1, or drafted + 1 when verifying.
    """
    tokens = sequences * queries + prefill
    compute = tokens * step.linear_token + sequences * queries * step.linear_sequence
    memory = step.linear_read + sequences * step.state_sequence
    busy = soft_max(compute, memory, step.sharpness) + step.spread[tokens]
    return busy, compute + step.spread_compute[tokens], memory + step.spread_memory[tokens]


def overhead(step: StepCoefficients, sequences: int, prefill: int, busy: float) -> float:
    """Return what the host adds to a step whose accelerator is busy for `busy`, s."""
    host = step.engine + sequences * step.sequence + prefill * step.prefill
    return host + max(step.launch - busy, 0.0) if prefill > 0 else host


def series(first: float, slope: float, count: int) -> float:
    """Return first + (first + slope) + ... of `count` terms."""
    return count * (first + slope * (count - 1) / 2)


def attention_sum(
    compute: float, compute_slope: float, memory: float, memory_slope: float, count: int
) -> float:
    """Return the sum over k < count of max(compute + k slope, memory + k slope), s.

    The two lines cross at most once: up to there one side binds, beyond it the other.
    """
    ahead = compute - memory
    tilt = compute_slope - memory_slope
    if ahead * (ahead + tilt * (count - 1)) >= 0.0:
        if ahead + tilt * (count - 1) + ahead >= 0.0:
            return series(compute, compute_slope, count)
        return series(memory, memory_slope, count)
    before = min(int(-ahead / tilt) + 1, count)
    after = count - before
    if ahead > 0.0:
        later = series(memory + memory_slope * before, memory_slope, after)
        return series(compute, compute_slope, before) + later
    later = series(compute + compute_slope * before, compute_slope, after)
    return series(memory, memory_slope, before) + later


def visible_sum(computed: int, count: int, reach: float) -> float:
    """Return the tokens that `count` prompt tokens after `computed` ones see, each itself too."""
    last = computed + count
    if last <= reach:
        return count * computed + count * (count + 1) / 2
    rising = max(0.0, reach - computed)
    return rising * computed + rising * (rising + 1) / 2 + (count - rising) * reach
