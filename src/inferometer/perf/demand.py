"""What a workload asks of one rank: prompt and output moments, and how much context is visible."""

from dataclasses import dataclass

import numpy as np

from inferometer.candidates import Floats
from inferometer.errors import WorkloadError
from inferometer.workload.shape import LEVELS, Shape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """Moments of a workload that do not depend on the deployment.

    Attributes:
        prompt: New (uncached) prompt tokens: mean, then quantiles at `LEVELS` [4].
        output: Output tokens: mean, then quantiles at `LEVELS` [4].
        prompt_variation: Squared coefficient of variation of new prompt tokens.
        output_variation: Squared coefficient of variation of output tokens.
        output_harmonic: Harmonic mean of output tokens (TPOT spread of short answers).
        chunk: Mean new prompt length seen by a prompt token (longer prompts count more).
        context: Tokens visible to a decoding token, mean over generated tokens [reach, 1].
        held: Tokens of KV held by a running sequence, mean over its decode time [reach, 1].
        longest: Tokens held by the longest request when it ends [reach, 1].
        prefill_context: Tokens visible to a new prompt token, mean [reach, 1].
        cached_fraction: Share of prompt tokens served by the prefix cache.
    """

    prompt: Floats
    output: Floats
    prompt_variation: float
    output_variation: float
    output_harmonic: float | Floats
    chunk: float | Floats
    context: Floats
    held: Floats
    longest: Floats
    prefill_context: Floats
    cached_fraction: float


def demand(shape: Shape, reaches: tuple[float, ...] | Floats, *, prefix_caching: bool) -> Demand:
    """Return the moments of `shape` for a model whose layers see `reaches` tokens.

    Raises:
        WorkloadError: a workload without output tokens or without prompt tokens.
    """
    cached = shape.cached_fraction if prefix_caching else 0.0
    inputs, outputs = shape.inputs, np.maximum(shape.outputs, 1.0)
    if shape.mean_output <= 0 or shape.mean_input <= 0:
        raise WorkloadError(f"workload {shape.name!r}: mean input and output must be positive")
    fresh = np.maximum(inputs * (1 - cached), 1.0)
    spans = np.array(reaches).reshape(len(reaches), -1)  # [reach, 1]
    seen = _mean_visible(inputs, outputs, spans)  # [reach, point]
    asked = _mean_visible(inputs - fresh, fresh, spans)
    return Demand(
        prompt=_levels(fresh, shape.input_quantiles * (1 - cached)),
        output=_levels(outputs, shape.output_quantiles),
        prompt_variation=float(fresh.var() / fresh.mean() ** 2),
        output_variation=float(outputs.var() / outputs.mean() ** 2),
        output_harmonic=float(1 / np.mean(1 / outputs)),
        chunk=float((fresh**2).sum() / fresh.sum()),
        context=(seen * outputs).sum(axis=1, keepdims=True) / outputs.sum(),
        held=(seen * outputs).sum(axis=1, keepdims=True) / outputs.sum(),
        longest=np.minimum(shape.longest, spans),
        prefill_context=(asked * fresh).sum(axis=1, keepdims=True) / fresh.sum(),
        cached_fraction=cached,
    )


def _levels(points: Floats, quantiles: Floats) -> Floats:
    """Return the mean of the points, then the known quantiles, those of the points if unknown."""
    known = quantiles if len(quantiles) else np.quantile(points, LEVELS)
    return np.array([points.mean(), *np.maximum(known, 1.0)])


def _mean_visible(past: Floats, new: Floats, reach: Floats) -> Floats:
    """Return the mean of min(position, reach) over `new` tokens that follow `past` ones.

    The integral of min(x, W) from past to past + new, over new.
    """
    return (_visible_sum(past + new, reach) - _visible_sum(past, reach)) / new


def _visible_sum(position: Floats, reach: Floats) -> Floats:
    inside = np.minimum(position, reach)
    beyond = position - inside
    return inside**2 / 2 + np.where(beyond > 0, beyond * np.where(beyond > 0, reach, 0.0), 0.0)


def fixed_lengths(
    inputs: Floats,
    outputs: Floats,
    reaches: tuple[float, ...] | Floats,
    *,
    cached_fraction: float = 0.0,
) -> Demand:
    """Return the moments of requests that all have one length, another per configuration.

    What load generators send: `inputs` and `outputs` are [config], and so is the last axis of every
    field.
    """
    fresh = np.maximum(inputs * (1 - cached_fraction), 1.0)
    outputs = np.maximum(outputs, 1.0)
    spans = np.array(reaches).reshape(len(reaches), -1)  # [reach, 1 or config]
    levels = np.ones((1 + len(LEVELS), 1))
    context = _mean_visible(inputs, outputs, spans)
    return Demand(
        prompt=levels * fresh,
        output=levels * outputs,
        prompt_variation=0.0,
        output_variation=0.0,
        output_harmonic=outputs,
        chunk=fresh,
        context=context,
        held=context,
        longest=np.minimum(inputs + outputs, spans),
        prefill_context=_mean_visible(inputs - fresh, fresh, spans),
        cached_fraction=cached_fraction,
    )
