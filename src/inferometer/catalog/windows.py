"""Which layers of a model see only a window: by list, by pattern, or by the family's rule."""

from inferometer.catalog.fields import Fields

_KINDS = frozenset(
    ("full_attention", "sliding_attention", "linear_attention", "chunked_attention", "attention")
)


def window_of(c: Fields, i: int, layers: int, *, rest: str = "none") -> int | None:
    """Return the window of layer i, None if it sees everything.

    Args:
        c: Fields; `layer_types` counts first, then `sliding_window_pattern`.
        i: Layer.
        layers: Number of layers.
        rest: The family's rule if neither is given: "none" or "all" layers have the window,
            "even" ones, all but every "fourth"; "stated" makes the absence an error.

    Raises:
        CatalogError: the file does not say, or the window's width is missing.
    """
    if c.has("layer_types"):
        windowed = c.per_layer("layer_types", layers, _KINDS.__contains__)[i] == "sliding_attention"
    elif c.has("sliding_window_pattern"):
        windowed = (i + 1) % c.whole("sliding_window_pattern") != 0
    elif rest == "stated":
        raise c.fault("layer_types", "missing, and sliding_window_pattern too")
    else:
        windowed = {"none": False, "all": True, "even": i % 2 == 0, "fourth": i % 4 != 3}[rest]
    if not windowed or (rest == "all" and not c.has("sliding_window")):
        return None
    return c.whole("sliding_window")


def qwen_window(c: Fields, i: int, layers: int) -> int | None:
    """Return the window of layer i: the first max_window_layers see everything."""
    if not c.flag("use_sliding_window", default=False):
        return None
    if c.has("layer_types"):
        return window_of(c, i, layers)
    return None if i < c.whole("max_window_layers", low=0) else c.whole("sliding_window")
