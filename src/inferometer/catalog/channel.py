"""Channel mixing of one layer from the fields of its config.json: dense or mixture of experts."""

from inferometer.catalog.architecture import FeedForward
from inferometer.catalog.fields import Fields
from inferometer.catalog.mixing import hidden_of

GATED, PLAIN = 3, 2


def dense(c: Fields, *, matrices: int = GATED, bias: bool = False, width: int = 0) -> FeedForward:
    """Return a dense block of the given width, or of the model's."""
    inner = width or c.whole("intermediate_size", "n_inner", "ffn_hidden_size")
    extra = (matrices - 1) * inner + hidden_of(c) if bias else 0
    return FeedForward(width=inner, matrices=matrices, extra_weights=extra)


def experts(
    c: Fields, *, width: int, shared: int = 0, shared_gate: bool = False, correction: bool = False
) -> FeedForward:
    """Return a mixture of gated experts.

    Args:
        c: Fields.
        width: Hidden width of one routed expert.
        shared: Summed hidden width of the always-active experts.
        shared_gate: Whether a learned gate scales their output.
        correction: Whether the router has one bias per expert.

    Raises:
        CatalogError: a token visits more experts than there are.
    """
    count = c.whole("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
    chosen = ("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "moe_k")
    active = c.whole(*chosen, "top_k_experts")
    if active > count:
        raise c.fault("num_experts_per_tok", f"{active} is more than the {count} experts")
    hidden = hidden_of(c)
    return FeedForward(
        width=width,
        experts=count,
        experts_active=active,
        shared_width=shared,
        extra_weights=count * (hidden + correction) + shared_gate * hidden,
    )
