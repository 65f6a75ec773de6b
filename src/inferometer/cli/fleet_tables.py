"""The answer of `inferometer fleet`: as tables for people, and as a document."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from inferometer.cli.result import show_rows
from inferometer.plan.fleet.plan import Fleet, FleetPlan
from inferometer.plan.fleet.pool import Load
from inferometer.plan.fleet.profile import Offer
from inferometer.plan.fleet.replay import Replay

HOUR = 3600
NOTES = (
    "throughput of a class on a replica: closed form, within its SLO, as if alone; loads add up",
    "replicas are started ahead of need; the period repeats",
    "a class is known by tenant and prompt length, never by the answer",
)


def show_fleet(plan: FleetPlan, found: Sequence[Offer]) -> None:
    """Print what to run, who serves what, and what else it could have been."""
    hours = plan.load.slots * plan.load.slot / HOUR
    title = f"Cheapest fleet over {hours:.4g} h, {plan.load.slots} slots"
    show_rows(title, _pools(plan, found))
    show_rows("Who serves what: mean share of each class", _shares(plan))
    show_rows("Cost, per hour on average", [_costs("this fleet", plan.best, hours)] + [
        _costs(f"best of {one.pools[0].kind} alone", one, hours) for one in plan.singles
    ] + ([_costs(f"never changed: {plan.static.pools[0].name}", plan.static, hours)]
         if plan.static else []))  # fmt: skip
    show_rows("Saving", [{"over": name, "share": value} for name, value in _savings(plan).items()])
    show_rows("Replicas by slot", _slots(plan))
    show_rows(
        "Notes", [{"": text} for text in (*NOTES, f"within {plan.best.gap:.2%} of the bound")]
    )


def show_replay(played: Replay, load: Load) -> None:
    """Print how the classes fared in the slots that were played."""
    hour = load.slot / HOUR
    show_rows("Played, request by request", [
        {
            "from h": f"{one.slot * hour:.3g}",
            "class": one.name,
            "pool": one.pool,
            "requests": one.requests,
            "worst target": one.target or "none",
            "of its limit": one.ratio,
            "beyond a limit": one.beyond,
            "SLO": "kept" if one.kept else "missed",
            "replicas": one.replicas,
            "needed": one.needed if one.needed is not None else "more than twice",
        }
        for one in played.classes
    ])  # fmt: skip
    said = f"{played.missed:.1%} of the requests played are of classes that miss their SLO"
    if played.extra:
        said += f"; the replicas missing cost {played.extra:.2f} USD over those slots"
    missing = "targets of gaps between tokens (itl) are not told apart by class and not played"
    notes = (said, f"played: {len(played.slots)} of {load.slots} slots, warmed up",
             "limits: what the SLO's headroom leaves of them", missing)  # fmt: skip
    show_rows("What was played", [{"": text} for text in notes])


def _savings(plan: FleetPlan) -> dict[str, float | None]:
    return {
        "best single type": plan.saving,
        "sized for the peak, never changed": plan.saving_over_static,
    }


def _pools(plan: FleetPlan, found: Sequence[Offer]) -> list[dict[str, Any]]:
    each, best = {offer.pool.name: offer.deployment for offer in found}, plan.best
    hour = plan.load.slot / HOUR
    return [
        {
            "pool": pool.name,
            "replicas": f"{on.min()} .. {on.max()}",
            "accelerator hours": float(on.sum() * each[pool.name].accelerators * hour),
            "$/h each": pool.price * HOUR,
            "$/h": float(on.mean() * pool.price * HOUR),
        }
        for pool, on in zip(best.pools, best.replicas, strict=True)
        if on.any()
    ]


def _shares(plan: FleetPlan) -> list[dict[str, Any]]:
    asked = plan.load.mean
    rows = list[dict[str, Any]]()
    for place, name in enumerate(plan.load.names):
        weight = asked[place] / max(float(asked[place].sum()), 1e-300)
        shares = (plan.best.shares[:, place, :] * weight).sum(axis=1)
        rows.append(
            {"class": name, "requests/s": float(asked[place].mean())}
            | {
                pool.name: float(share)
                for pool, share, on in zip(plan.best.pools, shares, plan.best.replicas, strict=True)
                if on.any()
            }
        )
    return rows


def _costs(name: str, fleet: Fleet, hours: float) -> dict[str, Any]:
    return {
        "fleet": name,
        "rent $/h": fleet.rent / hours,
        "start-ups $/h": fleet.starting / hours,
        "energy $/h": fleet.power / hours,
        "$/h": fleet.cost / hours,
        "kW": None if fleet.energy is None else fleet.energy / hours / HOUR / 1e3,
    }


def _slots(plan: FleetPlan) -> list[dict[str, Any]]:
    """Return one row per slot, equal neighbours as one."""
    best, hour = plan.best, plan.load.slot / HOUR
    used = [place for place in range(len(best.pools)) if best.replicas[place].any()]
    changes = np.flatnonzero(np.any(np.diff(best.replicas[used], axis=1) != 0, axis=0)) + 1
    starts = [0, *changes.tolist()]
    return [
        {"from h": f"{start * hour:.3g}"}
        | {best.pools[place].name: int(best.replicas[place, start]) for place in used}
        for start in starts
    ]


def fleet_answer(plan: FleetPlan, found: Sequence[Offer]) -> dict[str, Any]:
    """Return the answer as a document: USD over the period, rates in 1/s."""
    return {
        "slot_s": plan.load.slot,
        "classes": [
            {"name": name, "peak_per_s": peak.tolist(), "mean_per_s": mean.tolist()}
            for name, peak, mean in zip(
                plan.load.names, plan.load.peak, plan.load.mean, strict=True
            )
        ],
        "best": _fleet(plan.best, found),
        "singles": [_fleet(one, found) for one in plan.singles],
        "static": None if plan.static is None else _fleet(plan.static, found),
        "saving": _savings(plan),
        "notes": NOTES,
    }


def _fleet(fleet: Fleet, found: Sequence[Offer]) -> dict[str, Any]:
    each = {offer.pool.name: offer for offer in found}
    return {
        "cost_usd": fleet.cost,
        "rent_usd": fleet.rent,
        "starting_usd": fleet.starting,
        "power_usd": fleet.power,
        "energy_j": fleet.energy,
        "bound_usd": fleet.bound,
        "gap": fleet.gap,
        "pools": [
            {
                "name": pool.name,
                "deployment": each[pool.name].deployment,
                "clock": each[pool.name].clock,
                "price_usd_per_h": pool.price * HOUR,
                "spot": pool.spot,
                "throughput_per_s": pool.throughput.tolist(),
                "replicas": on.tolist(),
                "shares": share.tolist(),
            }
            for pool, on, share in zip(fleet.pools, fleet.replicas, fleet.shares, strict=True)
            if on.any()
        ],
    }
