"""One lane of a continuous-batching engine: plan a jump, commit it; as it is, or compiled.

The rules are vLLM v1's scheduler (decodes first, prompts cut to what is left of the token budget,
first come first served, no admission in a step that preempted, preemption of the latest by
recomputation). Where SGLang differs, `docs/simulator.md` says so. Between two changes of the batch
nothing is decided, so the clock jumps over all steps at once.
"""

from inferometer.simulate.blocks import grown, steps_that_fit
from inferometer.simulate.heap import pop, push, remove
from inferometer.simulate.jump import elapsed, price
from inferometer.simulate.prefix import acquire, evict, needed, release
from inferometer.simulate.release import resolve
from inferometer.simulate.state import COMPLETION, FINISHED, NEVER, World
from inferometer.simulate.step import visible_sum
from inferometer.simulate.tally import count_gap, settle
from inferometer.simulate.windows import cross, place_in_windows

ORDER = 2**31  # a heap key is last step x ORDER + order of admission


def advance(world: World, number: int) -> None:
    """Commit the jump of a lane, then plan the next."""
    commit(world, number)
    schedule(world, number)


def schedule(world: World, number: int) -> None:
    """Plan what a lane does from its step boundary on."""
    lane = world.lanes[number]
    lane.prefill = 0
    lane.ready = 0
    world.visible[number, :] = 0.0
    starved = make_room(world, number)
    if lane.partial >= 0:
        extend(world, number, lane.partial)
    if not starved:
        admit(world, number)
    plan(world, number)
    if starved and lane.planned > 1:  # the next step admits again
        lane.planned = 1
        lane.end = lane.now + elapsed(world, number, 1)


def make_room(world: World, number: int) -> bool:
    """Preempt until the next step's blocks fit; return whether anything was preempted."""
    lane, limits = world.lanes[number], world.limits
    due = (lane.steps + 1) % limits.block
    preempted = False
    while world.residues[number, due] > limits.blocks - lane.used:
        preempt(world, number)
        preempted = True
    return preempted


def preempt(world: World, number: int) -> None:
    """Send the latest admitted sequence back to the head of the queue; its KV is given up."""
    lane = world.lanes[number]
    if lane.partial >= 0:
        latest = lane.partial
        lane.partial = -1
        request = world.requests[latest]
        release(world, number, latest, request.prompt + request.produced)
    else:
        place = 0
        for other in range(1, lane.running):
            if world.keys[number, other] % ORDER > world.keys[number, place] % ORDER:
                place = other
        latest = take_running(world, number, place)
    request = world.requests[latest]
    request.computed = 0
    request.preemptions += 1
    lane.preemptions += 1
    request.follower = lane.head
    lane.head = latest
    if request.follower < 0:
        lane.tail = latest
    lane.waiting += 1


def take_running(world: World, number: int, place: int) -> int:
    """Take the decoding sequence at `place` of the heap out of the batch, its blocks given back."""
    lane = world.lanes[number]
    latest = int(world.heap[number, place])
    last = world.keys[number, place] // ORDER
    remove(world.keys[number], world.heap[number], lane.running, place)
    world.requests[latest].produced = world.requests[latest].output - (last - lane.steps)
    world.requests[latest].last_token = lane.now
    leave(world, number, latest)
    return latest


def admit(world: World, number: int) -> None:
    """Take waiting requests in order while budget, sequences and blocks last."""
    lane, limits = world.lanes[number], world.limits
    while lane.head >= 0 and lane.partial < 0 and lane.running + lane.ready < limits.sequences:
        request = world.requests[lane.head]
        if not can_admit(world, number, lane.head):
            break
        latest = lane.head
        lane.head = request.follower
        lane.waiting -= 1
        acquire(world, number, latest)
        request.order = lane.admissions
        lane.admissions += 1
        if request.admitted < 0.0:
            request.admitted = lane.now
        extend(world, number, latest)


def can_admit(world: World, number: int, candidate: int) -> bool:
    """Return whether budget and blocks for the whole prompt are there, beside the next step's."""
    lane, limits = world.lanes[number], world.limits
    request = world.requests[candidate]
    wanted = request.prompt + request.produced
    due = world.residues[number, (lane.steps + 1) % limits.block]
    if needed(world, number, candidate) > limits.blocks - lane.used - due:
        return False
    if limits.chunked == 1:
        return lane.running + lane.prefill < limits.budget
    return lane.prefill == 0 or lane.prefill + wanted <= limits.budget


def extend(world: World, number: int, latest: int) -> None:
    """Put the next chunk of a prompt into the step, as much of it as the budget has left."""
    lane, limits, step = world.lanes[number], world.limits, world.step
    request = world.requests[latest]
    wanted = request.prompt + request.produced - request.computed
    if limits.chunked == 1:
        wanted = min(wanted, limits.budget - lane.running - lane.prefill)
    for window in range(len(step.reaches)):
        seen = visible_sum(request.computed, wanted, step.reaches[window])
        world.visible[number, window] += seen
    request.computed += wanted
    lane.prefill += wanted
    if request.computed == request.prompt + request.produced:
        world.ready[number, lane.ready] = latest
        lane.ready += 1
        lane.partial = -1
    else:
        lane.partial = latest


def plan(world: World, number: int) -> None:
    """Set the lane's step time and how many steps it takes before anything can change."""
    lane, limits = world.lanes[number], world.limits
    lane.decoding = 0 if lane.prefill > 0 and limits.chunked == 0 else lane.running
    if lane.decoding + lane.prefill == 0:
        lane.planned = 0
        lane.end = NEVER
        return
    price(world, number)
    lane.planned = 1
    if lane.prefill == 0:
        last = world.keys[number, 0] // ORDER
        lane.planned = min(last, lane.crossing) - lane.steps
        lane.planned = min(lane.planned, steps_that_fit(world, number, lane.planned))
    lane.end = lane.now + elapsed(world, number, lane.planned)


def commit(world: World, number: int) -> None:
    """Take the steps of a lane's jump: clock, blocks, tokens, sequences that end or start."""
    lane = world.lanes[number]
    settle(world, number)
    lane.now = lane.end
    if lane.decoding > 0:
        lane.used += grown(world, number, lane.planned)
        evict(world, number)
        lane.steps += lane.planned
        while lane.running > 0 and world.keys[number, 0] // ORDER <= lane.steps:
            done = pop(world.keys[number], world.heap[number], lane.running)
            world.requests[done].produced = world.requests[done].output
            leave(world, number, done)
            finish(world, number, done)
        if lane.steps >= lane.crossing:
            cross(world, number)
    for place in range(lane.ready):
        start(world, number, int(world.ready[number, place]))


def start(world: World, number: int, latest: int) -> None:
    """Give a request whose prompt is done its token of the step, and let it decode."""
    lane, request = world.lanes[number], world.requests[latest]
    if request.produced == 0:
        request.first_token = lane.now
    else:
        count_gap(world, lane.now - request.last_token, 1)
    held_tokens = request.prompt + request.produced
    request.produced += 1
    request.last_token = lane.now
    if request.produced == request.output:
        release(world, number, latest, held_tokens)
        finish(world, number, latest)
        return
    request.base = held_tokens - lane.steps
    last = lane.steps + request.output - request.produced
    key = last * ORDER + request.order
    push(world.keys[number], world.heap[number], lane.running, key, latest)
    lane.running += 1
    block = world.limits.block
    world.residues[number, (1 - request.base) % block] += 1
    place_in_windows(world, number, request.base, 1)


def leave(world: World, number: int, latest: int) -> None:
    """Take a sequence out of the decoding ones."""
    lane, request = world.lanes[number], world.requests[latest]
    lane.running -= 1
    world.residues[number, (1 - request.base) % world.limits.block] -= 1
    place_in_windows(world, number, request.base, -1)
    release(world, number, latest, request.base + lane.steps)


def finish(world: World, number: int, latest: int) -> None:
    """Answer a request in full."""
    request = world.requests[latest]
    request.finished = world.lanes[number].now
    request.status = FINISHED
    world.loads[number] -= 1
    resolve(world, latest, request.finished, COMPLETION)
