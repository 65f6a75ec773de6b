"""The levers: every optimisation that can be asked about, as a change to a case.

A lever returns the cases it can make of one (the best of them counts), or in words why it does not
apply. None of them knows what it saves: that is worked out at the user's load.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from inferometer.catalog.models import Model
from inferometer.catalog.number_format import NumberFormat
from inferometer.catalog.prices import AcceleratorPrice
from inferometer.deployment import Deployment, EngineSettings, Parallelism, Precision, Speculation
from inferometer.plan.precision import FULL
from inferometer.plan.replicas import Evaluate
from inferometer.plan.whatif.case import Case
from inferometer.units import Duration, Fraction, Seconds, UsdPerToken
from inferometer.workload.shape import with_longer_outputs

SAME = "unchanged: the same tokens are computed"
LOSSLESS = "unchanged in distribution: rejected drafts are drawn again (Leviathan et al. 2023)"
UNKNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Toolbox:
    """What levers need beyond the case; every figure is the user's or the catalogue's.

    Attributes:
        formats: Number formats by key.
        at_clock: Evaluator at each core clock below the highest.
        under_cap: Evaluator at each power cap, a fraction of the shipped limit.
        spot: Spot price of the same accelerator; None if unpriced.
        batch_api: Price of a mean token of the workload at the cheapest batch tier; None if none.
        smaller: Smaller model to fall back to; None if none was named.
        draft: Speculative decoding to try.
        deferrable: Share of requests that may wait for a quiet hour, or a batch tier.
        shorter: Output length over today's, for request shaping.
        start: Time in which a replica starts.
        handover: Fixed time from a prefill to a decode pool.
    """

    formats: Mapping[str, NumberFormat]
    at_clock: Mapping[float, Evaluate]
    under_cap: Mapping[float, Evaluate]
    spot: AcceleratorPrice | None
    batch_api: UsdPerToken | None
    smaller: Model | None
    draft: Speculation
    deferrable: Fraction = 0.2
    shorter: Fraction = 0.8
    start: Duration = 300.0
    handover: Seconds = 0.0


Change = Callable[[Case, Toolbox], "list[Case] | str"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """One optimisation.

    Attributes:
        name: Name for people and for `--with`.
        change: What it makes of a case.
        joint: Whether it takes part in the joint answer by itself if it saves alone; what changes
            the model, the purchase or the requests does so only by name.
    """

    name: str
    change: Change
    joint: bool = True


def _set(case: Case, **fields: Any) -> Case:
    return replace(case, deployment=replace(case.deployment, **fields))


def _settings(case: Case, **fields: Any) -> Case:
    changed: EngineSettings = replace(case.deployment.settings, **fields)
    return _set(case, settings=changed)


def _layout(case: Case, **fields: Any) -> Case:
    changed: Parallelism = replace(case.deployment.parallelism, **fields)
    return _set(case, parallelism=changed)


def _noted(case: Case, quality: str) -> Case:
    return case if quality == SAME else replace(case, quality=(*case.quality, quality))


def _runs(built: Deployment, chosen: NumberFormat) -> bool:
    return not chosen.architectures or built.accelerator.architecture in chosen.architectures


def weights(key: str) -> Change:
    """Return the lever that stores weights in a format."""

    def change(case: Case, box: Toolbox) -> list[Case] | str:
        built, chosen = case.deployment, box.formats[key]
        now = built.precision
        if now.linear.bytes_per_element <= chosen.bytes_per_element:
            return f"weights are {now.linear.key} already"
        if not _runs(built, chosen):
            return f"no kernels for {key} on {built.accelerator.key}"
        smaller = replace(now, linear=chosen, experts=chosen)
        return [_noted(_set(case, precision=smaller), chosen.quality or UNKNOWN)]

    return change


def kv_cache(case: Case, box: Toolbox) -> list[Case] | str:
    """Store the KV cache in 8 bits."""
    now: Precision = case.deployment.precision
    if now.kv.key not in FULL:
        return f"the KV cache is {now.kv.key} already"
    if not _runs(case.deployment, box.formats["fp8"]):
        return f"no kernels for fp8 on {case.deployment.accelerator.key}"
    changed = _set(case, precision=replace(now, kv=box.formats["fp8"]))
    return [_noted(changed, f"fp8 KV cache: {UNKNOWN}")]


def no_batching(case: Case, box: Toolbox) -> list[Case] | str:
    """Serve one sequence at a time: what batching is worth, read backwards."""
    del box
    return [_settings(case, max_num_seqs=1)]


def batch_limits(case: Case, box: Toolbox) -> list[Case] | str:
    """Choose the limit on sequences and the step budget anew."""
    del box
    return [
        _settings(case, max_num_seqs=sequences, max_batched_tokens=tokens)
        for sequences in (32, 64, 128, 256, 512, 1024)
        for tokens in (512, 2048, 8192, 16384)
        if tokens >= sequences
    ]


def prefix_caching(case: Case, box: Toolbox) -> list[Case] | str:
    """Compute equal prefixes once, or, where that is on, every time."""
    del box
    if case.shape.cached_fraction <= 0:
        return "the workload states no shared prefixes"
    return [_settings(case, prefix_caching=not case.deployment.settings.prefix_caching)]


def smaller_chunks(case: Case, box: Toolbox) -> list[Case] | str:
    """Cut prompts finer: decodes wait less for them."""
    del box
    now = case.deployment.settings
    least = max(now.max_num_seqs, now.max_batched_tokens // 4)
    if least >= now.max_batched_tokens:
        return f"the step budget {now.max_batched_tokens} is down to the sequence limit"
    return [_settings(case, max_batched_tokens=least)]


def whole_prompts(case: Case, box: Toolbox) -> list[Case] | str:
    """Never cut a prompt: chunked prefill read backwards."""
    del box
    longest = int(case.shape.longest) + case.deployment.settings.max_num_seqs
    if longest <= case.deployment.settings.max_batched_tokens:
        return "no prompt is longer than the step budget: nothing is cut today"
    return [_settings(case, max_batched_tokens=longest)]


def speculation(case: Case, box: Toolbox) -> list[Case] | str:
    """Draft tokens cheaply and verify them together, or stop doing so."""
    if case.deployment.speculation is not None:
        return [_set(case, speculation=None)]
    draft = box.draft
    said = f"{draft.draft_tokens} drafted, {draft.accepted:.2g} accepted per step, assumed"
    changed = replace(_set(case, speculation=draft), chosen=(*case.chosen, said))
    return [_noted(changed, LOSSLESS)]


def tensor(factor: float) -> Change:
    """Return the lever that multiplies the tensor-parallel ranks."""

    def change(case: Case, box: Toolbox) -> list[Case] | str:
        del box
        built = case.deployment
        ranks = built.parallelism.tensor * factor
        heads = {layer.attention.query_heads for layer in built.model.layers} - {0}
        if ranks < 1 or ranks != int(ranks):
            return "one rank cannot be halved"
        if ranks > built.accelerator.link_domain:
            return f"{built.accelerator.key} links {built.accelerator.link_domain} at most"
        if any(count % int(ranks) for count in heads):
            return f"{int(ranks)} ranks do not divide the heads"
        return [_layout(case, tensor=int(ranks))]

    return change


def pipeline(case: Case, box: Toolbox) -> list[Case] | str:
    """Twice the pipeline stages."""
    del box
    return [_layout(case, pipeline=2 * case.deployment.parallelism.pipeline)]


def experts(case: Case, box: Toolbox) -> list[Case] | str:
    """Place experts whole, or cut them by tensor ranks."""
    del box
    layout = case.deployment.parallelism
    counts = {layer.feed_forward.experts for layer in case.deployment.model.layers} - {0}
    if not counts:
        return f"{case.deployment.model.key} has no experts"
    if layout.tensor * layout.data == 1:
        return "one rank has nothing to spread experts over"
    if any(count % (layout.tensor * layout.data) for count in counts):
        return "experts do not spread evenly over the ranks"
    return [_layout(case, expert=not layout.expert)]


def disaggregation(case: Case, box: Toolbox) -> list[Case] | str:
    """Prompts on replicas of their own."""
    return [replace(case, handover=box.handover, chosen=(*case.chosen, "two pools"))]


def hybrid_allocator(case: Case, box: Toolbox) -> list[Case] | str:
    """Keep only the window of window layers in the KV cache, or, where that is done, everything."""
    del box
    built = case.deployment
    if all(layer.attention.window is None for layer in built.model.layers):
        return f"{built.model.key} has no window layers"
    engine = built.settings.engine
    return [_settings(case, engine=replace(engine, hybrid_allocator=not engine.hybrid_allocator))]


def clocks(case: Case, box: Toolbox) -> list[Case] | str:
    """Run the cores slower."""
    return [
        replace(case, evaluate=slower, chosen=(*case.chosen, f"clock {clock:g} of the highest"))
        for clock, slower in box.at_clock.items()
    ]


def power_caps(case: Case, box: Toolbox) -> list[Case] | str:
    """Limit the power of every accelerator."""
    return [
        replace(case, evaluate=capped, chosen=(*case.chosen, f"cap at {share:.0%} of the limit"))
        for share, capped in box.under_cap.items()
    ]


def shaping(case: Case, box: Toolbox) -> list[Case] | str:
    """Let the deferrable share of the peak wait for quieter hours."""
    shape = case.shape
    peak = max(shape.rate, shape.peak_rate * (1 - box.deferrable))
    if peak >= shape.peak_rate:
        return "the load is flat: there is no quieter hour"
    series = shape.series.clip(max=peak)
    missing = shape.series.mean() - series.mean()
    room = (peak - series).mean()
    filled = series + (peak - series) * (missing / room if room > 0 else 0.0)
    return [replace(case, shape=replace(shape, peak_rate=peak, series=filled))]


def shorter_outputs(case: Case, box: Toolbox) -> list[Case] | str:
    """Ask for shorter answers."""
    context = case.deployment.model.max_context
    shape = with_longer_outputs(case.shape, box.shorter, context)
    return [_noted(replace(case, shape=shape), f"answers {1 - box.shorter:.0%} shorter: {UNKNOWN}")]


def batch_api(case: Case, box: Toolbox) -> list[Case] | str:
    """Send the deferrable share to a batch tier of an API."""
    if box.batch_api is None:
        return f"no batch tier is priced for {case.deployment.model.key}"
    shape, kept = case.shape, 1 - box.deferrable
    tokens = shape.rate * (shape.mean_input + shape.mean_output)
    own = replace(
        shape, requests=shape.requests * kept, rate=shape.rate * kept,
        peak_rate=shape.peak_rate * kept, series=shape.series * kept,
    )  # fmt: skip
    paid = box.batch_api * tokens * box.deferrable
    said = f"{box.deferrable:.0%} of requests at {box.batch_api * 1e6:.3g} USD/Mtok"
    moved = replace(
        case, shape=own, elsewhere=case.elsewhere + paid, tokens=case.tokens or tokens,
        chosen=(*case.chosen, said),
    )  # fmt: skip
    return [_noted(moved, f"the provider's own serving: {UNKNOWN}")]


def spot(case: Case, box: Toolbox) -> list[Case] | str:
    """Rent spot capacity; what interruptions cost is not in it."""
    if box.spot is None:
        return f"{case.deployment.accelerator.key} has no spot price"
    said = f"{box.spot.provider}, {box.spot.price * 3600:.3g} USD/h each"
    return [replace(case, price=box.spot, chosen=(*case.chosen, said))]


def smaller_model(case: Case, box: Toolbox) -> list[Case] | str:
    """Serve a smaller model."""
    if box.smaller is None:
        return "none was named: --smaller MODEL"
    changed = _set(case, model=box.smaller)
    return [
        _noted(changed, f"{box.smaller.key} in place of {case.deployment.model.key}: {UNKNOWN}")
    ]


def autoscaling(case: Case, box: Toolbox) -> list[Case] | str:
    """Let replicas follow the load by the hour."""
    if case.shape.span < 2 * 3600:
        return "the workload is shorter than two hours: there is nothing to follow"
    return [replace(case, start=box.start)]


LEVERS: tuple[Lever, ...] = (
    Lever(name="weights fp8", change=weights("fp8")),
    Lever(name="weights int4", change=weights("int4"), joint=False),
    Lever(name="kv cache fp8", change=kv_cache),
    Lever(name="no batching", change=no_batching, joint=False),
    Lever(name="batch limits", change=batch_limits),
    Lever(name="prefix caching", change=prefix_caching),
    Lever(name="smaller chunks", change=smaller_chunks),
    Lever(name="whole prompts", change=whole_prompts, joint=False),
    Lever(name="speculation", change=speculation),
    Lever(name="tensor x2", change=tensor(2)),
    Lever(name="tensor / 2", change=tensor(0.5)),
    Lever(name="pipeline x2", change=pipeline),
    Lever(name="expert parallelism", change=experts),
    Lever(name="disaggregation", change=disaggregation),
    Lever(name="hybrid allocator", change=hybrid_allocator),
    Lever(name="clocks", change=clocks),
    Lever(name="power cap", change=power_caps, joint=False),
    Lever(name="load shaping", change=shaping, joint=False),
    Lever(name="shorter outputs", change=shorter_outputs, joint=False),
    Lever(name="batch api", change=batch_api, joint=False),
    Lever(name="spot", change=spot, joint=False),
    Lever(name="smaller model", change=smaller_model, joint=False),
    Lever(name="autoscaling", change=autoscaling),
)
"""All levers, in the order of the answer."""
