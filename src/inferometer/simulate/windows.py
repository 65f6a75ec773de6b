"""Sequences inside and beyond each attention window, so that context sums stay linear."""

from inferometer.simulate.state import NEVER, World


def place_in_windows(world: World, number: int, base: int, sign: int) -> None:
    """Count a sequence in (`sign` 1) or out (-1) of every attention window."""
    lane, reaches = world.lanes[number], world.step.reaches
    for window in range(len(reaches)):
        reach = reaches[window]
        if base + lane.steps + 1 > reach:
            world.growing[number, window, 2] += sign
        else:
            world.growing[number, window, 0] += sign
            world.growing[number, window, 1] += sign * base
            if reach < NEVER:
                lane.crossing = min(lane.crossing, int(reach) - base)


def cross(world: World, number: int) -> None:
    """Recount who is inside which window, and when the next sequence outgrows one."""
    lane = world.lanes[number]
    lane.crossing = 2**62
    world.growing[number, :, :] = 0
    for place in range(lane.running):
        base = world.requests[world.heap[number, place]].base
        place_in_windows(world, number, base, 1)
