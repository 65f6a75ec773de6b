"""A jump over steps of one batch: its price, its length, where an arrival cuts it."""

from inferometer.simulate.state import PART, WHOLE, World
from inferometer.simulate.step import attention_sum, matrix_times, overhead


def price(world: World, number: int) -> None:
    """Set the step time of the lane's batch as a function of the steps taken."""
    lane, limits = world.lanes[number], world.limits
    step = world.mixed if lane.prefill > 0 else world.step
    queries = limits.queries
    busy, lane.matrix_compute, lane.matrix_memory = matrix_times(
        step, lane.decoding, lane.prefill, queries
    )
    lane.compute = 0.0
    lane.memory = (lane.decoding * queries + lane.prefill) * step.kv_write
    lane.compute_slope = 0.0
    lane.memory_slope = 0.0
    each, ahead = limits.stride * PART, lane.steps + 1.0 + lane.drift * PART
    for window in range(len(step.reaches)):
        lane.compute += world.visible[number, window] * step.prefill_flop[window]
        if lane.decoding > 0:
            inside, base, beyond = world.growing[number, window]
            seen = base + inside * ahead
            if beyond > 0:
                seen += beyond * step.reaches[window]
            lane.compute += seen * step.decode_flop[window] * queries
            lane.compute_slope += inside * each * step.decode_flop[window] * queries
            lane.memory += seen * step.kv_read[window]
            lane.memory_slope += inside * each * step.kv_read[window]
    busy_first = busy + max(lane.compute, lane.memory)
    lane.fixed = busy + overhead(step, lane.decoding, lane.prefill, busy_first)
    if step.draft > 0.0 and lane.decoding > 0:
        price_drafts(world, number)
    if lane.fetched > 0:  # blocks come layer by layer while the step computes
        lane.fixed += max(0.0, lane.fetched * step.fetch - gap(world, number, 0))


def price_drafts(world: World, number: int) -> None:
    """Add what the draft takes: so many decode steps of the target, one query a sequence."""
    lane, queries = world.lanes[number], world.limits.queries
    step = world.mixed if lane.prefill > 0 else world.step
    prompts = 0.0
    for window in range(len(step.reaches)):
        prompts += world.visible[number, window] * step.prefill_flop[window]
    busy, _, _ = matrix_times(step, lane.decoding, 0, 1)
    lane.fixed += step.draft * (busy + overhead(step, lane.decoding, 0, busy))
    lane.drafted_compute = (lane.compute - prompts) / queries
    lane.drafted_compute_slope = lane.compute_slope / queries
    written = lane.decoding * queries + lane.prefill - lane.decoding
    lane.drafted_memory = lane.memory - written * step.kv_write


def drafts(world: World, number: int, count: int) -> float:
    """Return the attention of the drafts of the first `count` steps, s."""
    lane, step = world.lanes[number], world.step
    if step.draft == 0.0 or lane.decoding == 0:
        return 0.0
    return step.draft * attention_sum(
        lane.drafted_compute,
        lane.drafted_compute_slope,
        lane.drafted_memory,
        lane.memory_slope,
        count,
    )


def elapsed(world: World, number: int, count: int) -> float:
    """Return the time of the first `count` steps of a lane's jump, s."""
    lane = world.lanes[number]
    attention = attention_sum(
        lane.compute, lane.compute_slope, lane.memory, lane.memory_slope, count
    )
    return count * lane.fixed + attention + drafts(world, number, count)


def gap(world: World, number: int, place: int) -> float:
    """Return the time of step `place`, from 0, of a lane's jump, s."""
    lane = world.lanes[number]
    compute = lane.compute + lane.compute_slope * place
    time = lane.fixed + max(compute, lane.memory + lane.memory_slope * place)
    if world.step.draft > 0.0 and lane.decoding > 0:
        compute = lane.drafted_compute + lane.drafted_compute_slope * place
        time += world.step.draft * max(compute, lane.drafted_memory + lane.memory_slope * place)
    return time


def advanced(world: World, number: int, count: int) -> int:
    """Return the tokens by which each sequence advances in `count` steps.

    One a step, or the expected yield of speculation, whose fraction is carried on in `drift`.
    """
    if world.limits.stride == WHOLE:
        return count
    return (world.lanes[number].drift + count * world.limits.stride) // WHOLE


def steps_for(world: World, number: int, tokens: int) -> int:
    """Return the fewest steps in which each sequence advances by `tokens`."""
    stride = world.limits.stride
    if stride == WHOLE:
        return tokens
    return (tokens * WHOLE - world.lanes[number].drift + stride - 1) // stride


def interrupt(world: World, number: int, instant: float) -> None:
    """Cut a lane's jump at the first step boundary at or after `instant`."""
    lane = world.lanes[number]
    wanted = instant - lane.now
    few = max(1, int(wanted / gap(world, number, lane.planned - 1)))
    many = min(lane.planned, int(wanted / gap(world, number, 0)) + 2)
    few = min(few, many)
    while few < many:
        middle = (few + many) // 2
        if elapsed(world, number, middle) >= wanted:
            many = middle
        else:
            few = middle + 1
    lane.planned = few
    lane.end = lane.now + elapsed(world, number, few)
