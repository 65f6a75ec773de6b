"""A jump over steps of one batch: its price, its length, where an arrival cuts it."""

from inferometer.simulate.state import World
from inferometer.simulate.step import attention_sum, matrix_times, overhead


def price(world: World, number: int) -> None:
    """Set the step time of the lane's batch as a function of the steps taken."""
    lane = world.lanes[number]
    step = world.mixed if lane.prefill > 0 else world.step
    busy, lane.matrix_compute, lane.matrix_memory = matrix_times(step, lane.decoding, lane.prefill)
    lane.compute = 0.0
    lane.memory = (lane.decoding + lane.prefill) * step.kv_write
    lane.compute_slope = 0.0
    lane.memory_slope = 0.0
    for window in range(len(step.reaches)):
        lane.compute += world.visible[number, window] * step.prefill_flop[window]
        if lane.decoding > 0:
            inside, base, beyond = world.growing[number, window]
            seen = base + inside * (lane.steps + 1.0)
            if beyond > 0:
                seen += beyond * step.reaches[window]
            lane.compute += seen * step.decode_flop[window]
            lane.compute_slope += inside * step.decode_flop[window]
            lane.memory += seen * step.kv_read[window]
            lane.memory_slope += inside * step.kv_read[window]
    busy_first = busy + max(lane.compute, lane.memory)
    lane.fixed = busy + overhead(step, lane.decoding, lane.prefill, busy_first)


def elapsed(world: World, number: int, count: int) -> float:
    """Return the time of the first `count` steps of a lane's jump, s."""
    lane = world.lanes[number]
    return count * lane.fixed + attention_sum(
        lane.compute, lane.compute_slope, lane.memory, lane.memory_slope, count
    )


def gap(world: World, number: int, place: int) -> float:
    """Return the time of step `place`, from 0, of a lane's jump, s."""
    lane = world.lanes[number]
    compute = lane.compute + lane.compute_slope * place
    return lane.fixed + max(compute, lane.memory + lane.memory_slope * place)


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
