"""Prefix cache of a lane: blocks found by hash, shared while used, kept until room is needed.

A block with sequences on it counts as used; one without stays cached, the least recently used goes
first: to the host's memory if that takes part, else for good. A prompt's blocks are entered as they
are scheduled. Under a hybrid allocator only the layers that see everything share blocks, and a hit
asks for theirs alone. Runs as it is, and compiled (`compiled`).
"""

from inferometer.simulate.blocks import most_held
from inferometer.simulate.state import World

ABSENT, HOSTED = -1, -2
"""References of a hash that the lane does not hold, and of one that its host alone holds."""


def unit(world: World, latest: int, place: int) -> int:
    """Return the pages that hash number `place` of a prompt stands for: full blocks only."""
    whole, block = world.limits.hashed, world.limits.block
    tokens = min(whole, world.requests[latest].prompt - place * whole)
    return tokens // block * world.limits.full


def matched(world: World, number: int, latest: int) -> int:
    """Return the prompt tokens that a lane's cache would serve; the last is always computed."""
    place, end = world.starts[latest], world.starts[latest + 1]
    first = place
    while place < end and world.references[number, world.hashes[place]] != ABSENT:
        place += 1
    block = world.limits.block
    most = (world.requests[latest].prompt - 1) // block * block
    return min((place - first) * world.limits.hashed, most)


def needed(world: World, number: int, latest: int) -> int:
    """Return the pages that the whole prompt would newly use."""
    request = world.requests[latest]
    total = most_held(world, request.prompt + request.produced)
    start = world.starts[latest]
    for place in range(start, world.starts[latest + 1]):
        if world.references[number, world.hashes[place]] > 0:
            total -= unit(world, latest, place - start)
    return total


def find(world: World, number: int, latest: int) -> None:
    """Take the blocks of a prompt that are found by hash; set what is left to compute."""
    lane, request = world.lanes[number], world.requests[latest]
    request.computed = matched(world, number, latest)
    if request.preemptions == 0:
        request.cached = request.computed
    if request.computed > 0:
        whole = world.limits.hashed
        places = (request.computed + whole - 1) // whole
        start = world.starts[latest]
        for place in range(start, start + places):
            if world.references[number, world.hashes[place]] == HOSTED:
                lane.fetched += world.sizes[number, world.hashes[place]]
        enter(world, number, latest, places)


def enter(world: World, number: int, latest: int, until: int) -> None:
    """Hold the first `until` hashed blocks of a prompt in common with others."""
    lane, request = world.lanes[number], world.requests[latest]
    start = world.starts[latest]
    for place in range(request.entered, until):
        block, pages = world.hashes[start + place], unit(world, latest, place)
        known = world.references[number, block]
        if known == ABSENT:
            world.sizes[number, block] = pages
        elif known == HOSTED:
            unlink(world, number, block)
            lane.hosted -= world.sizes[number, block]
        elif known == 0:
            unlink(world, number, block)
            lane.idle -= world.sizes[number, block]
        if known <= 0:
            world.references[number, block] = 0
            lane.used += world.sizes[number, block]
        world.references[number, block] += 1
        lane.used -= pages
    request.entered = max(request.entered, until)


def enter_computed(world: World, number: int, latest: int) -> None:
    """Hold in common with others what is computed of a prompt."""
    request = world.requests[latest]
    count = world.starts[latest + 1] - world.starts[latest]
    if request.entered < count:
        done = request.computed >= request.prompt
        enter(world, number, latest, count if done else request.computed // world.limits.hashed)


def release(world: World, number: int, latest: int, pages: int) -> None:
    """Give back the `pages` of a sequence; hashed ones stay cached, the prompt's end goes first."""
    lane, request = world.lanes[number], world.requests[latest]
    lane.used -= pages
    start = world.starts[latest]
    for back in range(request.entered):
        place = request.entered - 1 - back
        block = world.hashes[start + place]
        lane.used += unit(world, latest, place)
        world.references[number, block] -= 1
        if world.references[number, block] == 0:
            lane.used -= world.sizes[number, block]
            lane.idle += world.sizes[number, block]
            link(world, number, block, world.older.shape[1] - 2)
    request.entered = 0


def link(world: World, number: int, block: int, end: int) -> None:
    """Make a block the most recently used of the list that ends in `end`."""
    newest = world.older[number, end]
    world.older[number, block] = newest
    world.newer[number, newest] = block
    world.newer[number, block] = end
    world.older[number, end] = block


def unlink(world: World, number: int, block: int) -> None:
    """Take a block out of its list."""
    older, newer = world.older[number, block], world.newer[number, block]
    world.newer[number, older] = newer
    world.older[number, newer] = older


def evict(world: World, number: int) -> None:
    """Let the least recently used blocks go until used and cached ones fit."""
    lane, end = world.lanes[number], world.older.shape[1] - 2
    while lane.idle > 0 and lane.used + lane.idle > world.limits.blocks:
        block = world.newer[number, end]
        unlink(world, number, block)
        lane.idle -= world.sizes[number, block]
        world.references[number, block] = ABSENT
        if world.limits.hosted > 0:
            keep_in_host(world, number, block)


def keep_in_host(world: World, number: int, block: int) -> None:
    """Move a block to the host's memory, whose least recently used go for good."""
    lane, end = world.lanes[number], world.older.shape[1] - 1
    world.references[number, block] = HOSTED
    lane.hosted += world.sizes[number, block]
    link(world, number, block, end)
    while lane.hosted > world.limits.hosted:
        oldest = world.newer[number, end]
        unlink(world, number, oldest)
        lane.hosted -= world.sizes[number, oldest]
        world.references[number, oldest] = ABSENT
