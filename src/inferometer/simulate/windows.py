"""Sequences inside and beyond each attention window, so that context sums stay linear."""

from inferometer.simulate.blocks import next_pages, ring
from inferometer.simulate.state import NEVER, World


def place(world: World, number: int, base: int, sign: int) -> None:
    """Count a sequence in (`sign` 1) or out (-1) of every window, and of those who need a page."""
    lane, limits, reaches = world.lanes[number], world.limits, world.step.reaches
    pages = next_pages(world, base + lane.steps)
    world.residues[number, (1 - base) % limits.block] += sign * pages
    for window in range(len(reaches)):
        reach = reaches[window]
        if base + lane.steps + 1 > reach:
            world.growing[number, window, 2] += sign
        else:
            world.growing[number, window, 0] += sign
            world.growing[number, window, 1] += sign * base
            if reach < NEVER:
                lane.crossing = min(lane.crossing, int(reach) - base)
    if pages > limits.full:
        lane.crossing = min(lane.crossing, full_ring(world, base + lane.steps) - base)


def full_ring(world: World, tokens: int) -> int:
    """Return the tokens from which on some window's layers take no more pages, beyond `tokens`."""
    block, soonest = world.limits.block, 2**62
    for window in range(len(world.step.reaches)):
        if world.step.pages[window] > 0.0 and world.step.reaches[window] < NEVER:
            full = (ring(world, window) - 1) * block + 1
            if full > tokens:
                soonest = min(soonest, full)
    return soonest


def cross(world: World, number: int) -> None:
    """Recount who is inside which window, and when the next sequence outgrows one."""
    lane = world.lanes[number]
    lane.crossing = 2**62
    world.growing[number, :, :] = 0
    world.residues[number, :] = 0
    for other in range(lane.running):
        place(world, number, world.requests[world.heap[number, other]].base, 1)
