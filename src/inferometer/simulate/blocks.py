"""Paged KV cache of one lane: blocks held, blocks that steps will take."""

from inferometer.simulate.state import World


def held(world: World, tokens: int) -> int:
    """Return the blocks of a sequence that holds `tokens`."""
    block = world.limits.block
    return (tokens + block - 1) // block + world.limits.overhead


def steps_that_fit(world: World, number: int, most: int) -> int:
    """Return how many steps, at most `most`, the free blocks last."""
    lane, block = world.lanes[number], world.limits.block
    free = world.limits.blocks - lane.used
    if lane.running * (most // block + 1) <= free:
        return most
    count = free // lane.running * block
    free -= count // block * lane.running
    while count < most:
        free -= world.residues[number, (lane.steps + count + 1) % block]
        if free < 0:
            break
        count += 1
    return count


def grown(world: World, number: int, count: int) -> int:
    """Return the blocks that the next `count` steps take."""
    lane, block = world.lanes[number], world.limits.block
    total = count // block * lane.running
    for place in range(count % block):
        total += world.residues[number, (lane.steps + place + 1) % block]
    return total
