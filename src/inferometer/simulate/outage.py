"""A replica that stops: what its lanes hold is lost, and they are empty afterwards."""

import dataclasses

from inferometer.simulate.abort import refuse
from inferometer.simulate.fleet import Fleet, set_clock
from inferometer.simulate.jump import elapsed, interrupt
from inferometer.simulate.kinds import view
from inferometer.simulate.prefix import ABSENT
from inferometer.simulate.state import LOST, Lane, World, empty_lane, empty_lists
from inferometer.simulate.tally import settle

KEPT = {field.name for field in dataclasses.fields(Lane) if "time" in field.name} | {
    "plain_compute", "plain_memory", "mixed_compute", "mixed_memory", "preemptions", "admissions",
    "now",
}  # fmt: skip
"""Fields of a lane that outlive its replica: what it has done."""


def stop(fleet: Fleet, number: int, instant: float) -> None:
    """Stop a lane at `instant`, in the middle of a step perhaps; its requests end as lost."""
    seen = view(fleet.world, fleet.kinds, number)
    lane = seen.lanes[number]
    _cut(seen, number, instant)
    lost = _requests(seen, number)
    clear(seen, number)
    lane.now = instant
    fleet.notice[number] = 0
    set_clock(fleet, number)  # the boundary at which it was due never comes
    for latest in lost:
        refuse(seen, fleet.rules, latest, instant, LOST)


def _cut(world: World, number: int, instant: float) -> None:
    """Settle the steps that were over by `instant`."""
    lane = world.lanes[number]
    if lane.planned == 0:
        return
    if lane.planned > 1:
        interrupt(world, number, instant)
    count = lane.planned if lane.end <= instant else lane.planned - 1
    if count > 0:
        lane.planned = count
        lane.end = lane.now + elapsed(world, number, count)
        settle(world, number)


def _requests(world: World, number: int) -> list[int]:
    """Return what a lane holds: its queue, then its batch."""
    lane, found = world.lanes[number], list[int]()
    place = int(lane.head)
    while place >= 0:
        found.append(place)
        place = int(world.requests[place].follower)
    found += [int(lane.partial)] if lane.partial >= 0 else []
    found += [int(latest) for latest in world.ready[number, : lane.ready]]
    found += [int(latest) for latest in world.heap[number, : lane.running]]
    return found


def clear(world: World, number: int) -> None:
    """Empty a lane: batch, queue and cache."""
    lane, fresh = world.lanes[number], empty_lane()
    for field in dataclasses.fields(Lane):
        if field.name not in KEPT:
            setattr(lane, field.name, getattr(fresh, field.name))
    for table in (
        world.residues, world.growing, world.visible, world.sizes, world.members,
    ):  # fmt: skip
        table[number] = 0
    world.references[number] = ABSENT
    for links in (world.older, world.newer):
        links[number] = empty_lists(links.shape[1])
    world.loads[number] = 0
