"""Paged KV cache of one lane: pages that sequences hold, pages that steps will take.

A page holds one block of tokens of one group of layers. Layers that see everything keep every
block; under a hybrid allocator window layers keep the blocks that their window still reaches. A
model or engine without the latter has one group, and its pages are blocks.
"""

from inferometer.simulate.state import NEVER, World


def held(world: World, tokens: int) -> int:
    """Return the pages of a decoding sequence that holds `tokens`.

    What leaves a window is freed as the next block is taken, so a window layer holds at most
    ceil((window - 1) / block) + 1 blocks.
    """
    limits, block = world.limits, world.limits.block
    blocks = (tokens + block - 1) // block
    total = blocks * limits.full + limits.overhead
    if limits.page > limits.full:
        for window in range(len(world.step.reaches)):
            most = ring(world, window)
            total += min(blocks, most) * int(world.step.pages[window])
    return total


def ring(world: World, window: int) -> int:
    """Return the most blocks that a decoding sequence holds in the layers of a window."""
    reach, block = world.step.reaches[window], world.limits.block
    return (int(reach) - 2 + block) // block + 1 if reach < NEVER else 0


def spanned(world: World, computed: int, until: int) -> int:
    """Return the pages of a prompt whose tokens from `computed` up to `until` are in one step.

    Window layers hold what the first of these tokens sees, and the tokens themselves.
    """
    limits, block = world.limits, world.limits.block
    blocks = (until + block - 1) // block
    total = blocks * limits.full + limits.overhead
    if limits.page > limits.full:
        for window in range(len(world.step.reaches)):
            if world.step.pages[window] > 0.0:
                gone = max(0, computed - int(world.step.reaches[window]) + 1) // block
                total += (blocks - gone) * int(world.step.pages[window])
    return total


def most_held(world: World, tokens: int) -> int:
    """Return the most pages that a sequence of `tokens` takes at any time, its prompt in chunks."""
    limits, block = world.limits, world.limits.block
    blocks = (tokens + block - 1) // block
    total = blocks * limits.full + limits.overhead
    if limits.page > limits.full:
        for window in range(len(world.step.reaches)):
            if world.step.pages[window] > 0.0:
                wide = int(world.step.reaches[window]) + limits.budget
                most = min(blocks, (wide - 2 + block) // block + 1)
                total += most * int(world.step.pages[window])
    return total


def next_pages(world: World, tokens: int) -> int:
    """Return the pages that a decoding sequence of `tokens` takes with its next block."""
    limits, block = world.limits, world.limits.block
    total = limits.page
    if limits.page > limits.full:
        for window in range(len(world.step.reaches)):
            if (tokens + block - 1) // block >= ring(world, window):
                total -= int(world.step.pages[window])
    return total


def steps_that_fit(world: World, number: int, most: int) -> int:
    """Return how many tokens each, at most `most`, the free pages last."""
    lane, block = world.lanes[number], world.limits.block
    free = world.limits.blocks - lane.used
    if lane.running * world.limits.page * (most // block + 1) <= free:
        return most
    each = cycle(world, number)
    if each == 0:
        return most
    count = free // each * block
    free -= count // block * each
    while count < most:
        free -= world.residues[number, (lane.steps + count + 1) % block]
        if free < 0:
            break
        count += 1
    return min(count, most)


def cycle(world: World, number: int) -> int:
    """Return the pages that all sequences take while each grows by a block."""
    limits = world.limits
    if limits.page == limits.full:
        return world.lanes[number].running * limits.full
    total = 0
    for place in range(limits.block):
        total += world.residues[number, place]
    return total


def grown(world: World, number: int, count: int) -> int:
    """Return the pages that the next `count` tokens of every sequence take."""
    lane, block = world.lanes[number], world.limits.block
    total = count // block * cycle(world, number) if count >= block else 0
    for place in range(count % block):
        total += world.residues[number, (lane.steps + place + 1) % block]
    return total
