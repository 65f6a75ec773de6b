"""Waiting requests join a lane's batch, and prompts are computed chunk by chunk."""

from inferometer.simulate.blocks import grown, held, most_held, spanned
from inferometer.simulate.jump import advanced
from inferometer.simulate.prefix import enter_computed, evict, find, needed
from inferometer.simulate.queue import take_head
from inferometer.simulate.running import join
from inferometer.simulate.state import WHOLE, World
from inferometer.simulate.step import visible_sum


def admit(world: World, number: int) -> None:
    """Take waiting requests in order while budget, sequences and blocks last."""
    lane, limits = world.lanes[number], world.limits
    if limits.static == 1 and not gathers(world, number):
        return
    while lane.head >= 0 and lane.partial < 0 and lane.running + lane.ready < limits.sequences:
        if not can_admit(world, number, lane.head):
            break
        latest = take_head(world, number)
        request = world.requests[latest]
        request.order = lane.admissions
        lane.admissions += 1
        if request.admitted < 0.0:
            request.admitted = lane.now
        if request.handed == 1:
            take_over(world, number, latest)
            continue
        find(world, number, latest)
        request.pages = 0
        extend(world, number, latest)


def gathers(world: World, number: int) -> bool:
    """Return whether a static batch still takes requests: none of it has decoded."""
    lane = world.lanes[number]
    if lane.running == 0:
        lane.opened = lane.steps
    return lane.steps == lane.opened


def due(world: World, number: int) -> int:
    """Return the pages that the decoding sequences take in the next step."""
    if world.limits.stride == WHOLE:
        return world.residues[number, (world.lanes[number].steps + 1) % world.limits.block]
    return grown(world, number, advanced(world, number, 1))


def can_admit(world: World, number: int, candidate: int) -> bool:
    """Return whether budget and blocks for the whole prompt are there, beside the next step's."""
    lane, limits = world.lanes[number], world.limits
    request = world.requests[candidate]
    free = limits.blocks - lane.used - due(world, number)
    left = limits.budget - lane.running * limits.queries - lane.prefill
    if request.handed == 1:
        ahead = request.prompt + limits.queries
        return left >= limits.queries and most_held(world, ahead) <= free
    if needed(world, number, candidate) > free:
        return False
    if limits.chunked == 1:
        return left > 0
    return lane.prefill == 0 or lane.prefill + request.prompt + request.produced <= limits.budget


def next_chunk(world: World, number: int, latest: int) -> int:
    """Return the tokens of a prompt's next chunk, as much of it as the budget has left."""
    lane, limits, request = world.lanes[number], world.limits, world.requests[latest]
    wanted = request.prompt + request.produced - request.computed
    if limits.chunked == 0:
        return wanted
    return min(wanted, limits.budget - lane.running * limits.queries - lane.prefill)


def can_extend(world: World, number: int) -> bool:
    """Return whether the blocks for the half-done prompt's next chunk are there."""
    lane, request = world.lanes[number], world.requests[world.lanes[number].partial]
    until = request.computed + next_chunk(world, number, lane.partial)
    more = spanned(world, request.computed, until) - request.pages
    return more <= world.limits.blocks - lane.used - due(world, number)


def extend(world: World, number: int, latest: int) -> None:
    """Put the next chunk of a prompt into the step, and take its blocks."""
    lane, step, request = world.lanes[number], world.step, world.requests[latest]
    wanted = next_chunk(world, number, latest)
    for window in range(len(step.reaches)):
        seen = visible_sum(request.computed, wanted, step.reaches[window])
        world.visible[number, window] += seen
    pages = spanned(world, request.computed, request.computed + wanted)
    lane.used += pages - request.pages
    request.pages = pages
    request.computed += wanted
    enter_computed(world, number, latest)
    evict(world, number)
    lane.prefill += wanted
    if request.computed == request.prompt + request.produced:
        world.ready[number, lane.ready] = latest
        lane.ready += 1
        lane.partial = -1
    else:
        lane.partial = latest


def take_over(world: World, number: int, latest: int) -> None:
    """Let a request decode whose KV came from a prefill lane; its first token leaves now."""
    lane, request = world.lanes[number], world.requests[latest]
    request.handed = 0
    request.first_token = lane.now
    request.last_token = lane.now
    request.produced = 1
    lane.used += held(world, request.prompt)
    evict(world, number)
    join(world, number, latest, request.prompt)
