"""What a jump adds to the sums: busy time and traffic, gaps between tokens, samples over time."""

import math

from inferometer.simulate.jump import advanced, gap
from inferometer.simulate.state import SAMPLED, World
from inferometer.simulate.step import series

SHORTEST = 1e-6
"""Upper end of the first bucket of gaps, s."""

GROWTH = 0.01
"""Logarithm of the ratio of two buckets, so that a gap is known to half a percent."""

BUCKETS = 2700
"""Buckets, up to 5e5 s."""


def settle(world: World, number: int) -> None:
    """Add a lane's finished jump to its sums."""
    lane = world.lanes[number]
    count, duration = lane.planned, lane.end - lane.now
    compute = count * lane.matrix_compute + series(lane.compute, lane.compute_slope, count)
    memory = count * lane.matrix_memory + series(lane.memory, lane.memory_slope, count)
    if lane.prefill > 0:
        lane.mixed_time += duration
        lane.mixed_compute += compute
        lane.mixed_memory += memory
    else:
        lane.plain_time += duration
        lane.plain_compute += compute
        lane.plain_memory += memory
    lane.sequence_time += lane.running * duration
    lane.block_time += lane.used * duration
    if lane.decoding > 0:
        count_gaps(world, number)
        lane.stall = 0.0
    elif lane.running > 0:
        lane.stall += duration


def count_gaps(world: World, number: int) -> None:
    """Count the gap of every decoding sequence at every step of a jump.

    A step that yields several tokens has a gap before the first of them and none between them.
    """
    lane = world.lanes[number]
    extra = advanced(world, number, lane.planned) - lane.planned
    if extra > 0:
        count_steps(world, number, 0, extra)
    place, last = 0, lane.planned - 1
    if lane.stall > 0.0:
        for sequence in range(lane.decoding):
            request = world.requests[world.heap[number, sequence]]
            waited = min(lane.stall, lane.now - request.last_token)
            count_gap(world, request.group, gap(world, number, 0) + waited)
        place = 1
    while place <= last:
        here = bucket(gap(world, number, place))
        until = last
        if bucket(gap(world, number, last)) != here:
            until = last_in_bucket(world, number, place, last, here)
        count_steps(world, number, here, until - place + 1)
        place = until + 1


def count_steps(world: World, number: int, place: int, times: int) -> None:
    """Count `times` gaps of one bucket for every decoding sequence of a lane."""
    for group in range(len(world.gaps)):
        world.gaps[group, place] += times * world.members[number, group]


def last_in_bucket(world: World, number: int, low: int, high: int, wanted: int) -> int:
    """Return the last step from `low` on whose gap is in bucket `wanted`; gaps never shrink."""
    while low < high:
        middle = (low + high + 1) // 2
        if bucket(gap(world, number, middle)) == wanted:
            low = middle
        else:
            high = middle - 1
    return low


def count_gap(world: World, group: int, duration: float) -> None:
    """Count one gap of a request of `group`."""
    world.gaps[group, bucket(duration)] += 1


def bucket(duration: float) -> int:
    """Return the bucket of a gap."""
    if duration <= SHORTEST:
        return 0
    return min(int(math.log(duration / SHORTEST) / GROWTH) + 1, BUCKETS - 1)


def sample(world: World, until: float) -> None:
    """Take the samples that are due before `until`: running, waiting, blocks in use."""
    while (
        world.counters[SAMPLED] < len(world.series)
        and world.counters[SAMPLED] * world.interval < until
    ):
        row = world.counters[SAMPLED]
        for number in range(len(world.lanes)):
            lane = world.lanes[number]
            world.series[row, 0] += lane.running
            world.series[row, 1] += lane.waiting
            world.series[row, 2] += lane.used
        world.counters[SAMPLED] += 1
