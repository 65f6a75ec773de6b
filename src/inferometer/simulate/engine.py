"""One lane of a continuous-batching engine: plan a jump, commit it; as it is, or compiled.

The rules are vLLM v1's scheduler (decodes first, prompts cut to what is left of the token budget,
by priority and then first come first served, no admission in a step that preempted, preemption of
the last by recomputation). Where SGLang differs, `docs/simulator.md` says so. Between two changes
of the batch nothing is decided, so the clock jumps over all steps at once.
"""

from inferometer.simulate.admission import admit, can_extend, due, extend
from inferometer.simulate.blocks import grown, held, steps_that_fit
from inferometer.simulate.heap import pop, remove
from inferometer.simulate.jump import advanced, elapsed, price, steps_for
from inferometer.simulate.prefix import evict, release
from inferometer.simulate.queue import put_back
from inferometer.simulate.release import resolve, send
from inferometer.simulate.running import ORDER, join, leave
from inferometer.simulate.state import COMPLETION, FINISHED, NEVER, WHOLE, World
from inferometer.simulate.tally import count_gap, settle
from inferometer.simulate.windows import cross


def schedule(world: World, number: int) -> None:
    """Plan what a lane does from its step boundary on."""
    lane = world.lanes[number]
    lane.prefill = 0
    lane.ready = 0
    lane.fetched = 0
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
    preempted = False
    while due(world, number) > limits.blocks - lane.used:
        preempt(world, number)
        preempted = True
    while lane.partial >= 0 and not can_extend(world, number):
        preempt(world, number)
        preempted = True
    return preempted


def preempt(world: World, number: int) -> None:
    """Send a sequence back to the queue; its KV is given up."""
    lane = world.lanes[number]
    place = worst(world, number)
    latest = take_partial(world, number) if place < 0 else take_running(world, number, place)
    request = world.requests[latest]
    request.computed = 0
    request.preemptions += 1
    lane.preemptions += 1
    put_back(world, number, latest)


def worst(world: World, number: int) -> int:
    """Return the place in the heap of whom to preempt, -1 for the one whose prompt is half done.

    Of the lowest priority the latest admitted.
    """
    lane, place, most = world.lanes[number], -1, -1
    if lane.partial >= 0:
        request = world.requests[lane.partial]
        most = request.priority * ORDER + request.order
    for other in range(lane.running):
        request = world.requests[world.heap[number, other]]
        rank = request.priority * ORDER + request.order
        if rank > most:
            place, most = other, rank
    return place


def take_partial(world: World, number: int) -> int:
    """Take the request whose prompt is half done out of the batch, its blocks given back."""
    lane = world.lanes[number]
    latest = lane.partial
    lane.partial = -1
    release(world, number, latest, world.requests[latest].pages)
    return int(latest)


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
        count = steps_for(world, number, min(last, lane.crossing) - lane.steps)
        tokens = advanced(world, number, count)
        fitting = steps_that_fit(world, number, tokens)
        lane.planned = count if fitting == tokens else steps_for(world, number, fitting + 1) - 1
    lane.end = lane.now + elapsed(world, number, lane.planned)


def commit(world: World, number: int) -> None:
    """Take the steps of a lane's jump: clock, blocks, tokens, sequences that end or start."""
    lane = world.lanes[number]
    settle(world, number)
    lane.now = lane.end
    if lane.decoding > 0:
        tokens = advanced(world, number, lane.planned)
        lane.used += grown(world, number, tokens)
        evict(world, number)
        lane.drift += lane.planned * world.limits.stride - tokens * WHOLE
        lane.steps += tokens
        while lane.running > 0 and world.keys[number, 0] // ORDER <= lane.steps:
            beyond = lane.steps - world.keys[number, 0] // ORDER  # tokens that nobody gets
            done = pop(world.keys[number], world.heap[number], lane.running)
            world.gaps[world.requests[done].group, 0] -= beyond
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
    kept = request.prompt + request.produced
    lane.used += held(world, kept) - request.pages
    if number < world.limits.prefillers and request.output > 1:
        hand_over(world, number, latest, kept)
        return
    if request.produced == 0:
        request.first_token = lane.now
    else:
        count_gap(world, request.group, lane.now - request.last_token)
    request.produced += 1
    request.last_token = lane.now
    if request.produced == request.output:
        release(world, number, latest, held(world, kept))
        finish(world, number, latest)
        return
    join(world, number, latest, kept)


def hand_over(world: World, number: int, latest: int, kept: int) -> None:
    """Send a prompt's KV to the decode lanes, after what the lane is sending already."""
    lane, request, step = world.lanes[number], world.requests[latest], world.step
    release(world, number, latest, held(world, kept))
    world.loads[number] -= 1
    request.handed = 1
    lane.link = max(lane.link, lane.now) + step.handover_fixed + kept * step.handover
    send(world, latest, lane.link)


def finish(world: World, number: int, latest: int) -> None:
    """Answer a request in full."""
    request = world.requests[latest]
    request.finished = world.lanes[number].now
    request.status = FINISHED
    world.loads[number] -= 1
    resolve(world, latest, request.finished, COMPLETION)
