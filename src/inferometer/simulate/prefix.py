"""Prefix cache of a lane: blocks found by hash, shared while used, kept until room is needed.

A block with sequences on it counts as used; one without stays cached, the least recently used goes
first. All blocks of a prompt are entered at admission. Runs as it is, and compiled (`compiled`).
"""

from inferometer.simulate.blocks import held
from inferometer.simulate.state import World

ABSENT = -1
"""References of a hash that the lane does not hold."""


def unit(world: World, latest: int, place: int) -> int:
    """Return the KV blocks that hash number `place` of a prompt stands for: full ones only."""
    whole, block = world.limits.hashed, world.limits.block
    return min(whole, world.requests[latest].prompt - place * whole) // block


def matched(world: World, number: int, latest: int) -> int:
    """Return the prompt tokens that a lane's cache would serve; the last is always computed."""
    start, end = world.starts[latest], world.starts[latest + 1]
    place = start
    while place < end and world.references[number, world.hashes[place]] != ABSENT:
        place += 1
    block = world.limits.block
    most = (world.requests[latest].prompt - 1) // block * block
    return min((place - start) * world.limits.hashed, most)


def needed(world: World, number: int, latest: int) -> int:
    """Return the blocks that admission would newly use."""
    request = world.requests[latest]
    total = held(world, request.prompt + request.produced)
    start = world.starts[latest]
    for place in range(start, world.starts[latest + 1]):
        if world.references[number, world.hashes[place]] > 0:
            total -= unit(world, latest, place - start)
    return total


def acquire(world: World, number: int, latest: int) -> None:
    """Take the blocks of a prompt, those found by hash included; set what is left to compute."""
    lane, request = world.lanes[number], world.requests[latest]
    request.computed = matched(world, number, latest)
    if request.preemptions == 0:
        request.cached = request.computed
    start = world.starts[latest]
    lane.used += own(world, latest, request.prompt + request.produced)
    for place in range(start, world.starts[latest + 1]):
        block = world.hashes[place]
        if world.references[number, block] == ABSENT:
            world.references[number, block] = 0
            world.sizes[number, block] = unit(world, latest, place - start)
        elif world.references[number, block] == 0:
            unlink(world, number, block)
        if world.references[number, block] == 0:
            lane.used += world.sizes[number, block]
        world.references[number, block] += 1
    evict(world, number)


def own(world: World, latest: int, tokens: int) -> int:
    """Return the blocks of a sequence that holds `tokens` which no hash stands for."""
    total = held(world, tokens)
    for place in range(world.starts[latest + 1] - world.starts[latest]):
        total -= unit(world, latest, place)
    return total


def release(world: World, number: int, latest: int, tokens: int) -> None:
    """Give back the blocks of a sequence; hashed ones stay cached, the prompt's end goes first."""
    lane = world.lanes[number]
    lane.used -= own(world, latest, tokens)
    start, end = world.starts[latest], world.starts[latest + 1]
    for back in range(end - start):
        block = world.hashes[end - 1 - back]
        world.references[number, block] -= 1
        if world.references[number, block] == 0:
            lane.used -= world.sizes[number, block]
            link(world, number, block)


def link(world: World, number: int, block: int) -> None:
    """Make a block the most recently used of those that nobody uses; the list ends in itself."""
    lane, end = world.lanes[number], world.older.shape[1] - 1
    newest = world.older[number, end]
    world.older[number, block] = newest
    world.newer[number, newest] = block
    world.newer[number, block] = end
    world.older[number, end] = block
    lane.idle += world.sizes[number, block]


def unlink(world: World, number: int, block: int) -> None:
    """Take a block out of the list of those that nobody uses."""
    older, newer = world.older[number, block], world.newer[number, block]
    world.newer[number, older] = newer
    world.older[number, newer] = older
    world.lanes[number].idle -= world.sizes[number, block]


def evict(world: World, number: int) -> None:
    """Forget the least recently used blocks until used and cached ones fit."""
    lane, end = world.lanes[number], world.older.shape[1] - 1
    while lane.idle > 0 and lane.used + lane.idle > world.limits.blocks:
        block = world.newer[number, end]
        unlink(world, number, block)
        world.references[number, block] = ABSENT
