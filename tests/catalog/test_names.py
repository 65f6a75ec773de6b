import dataclasses

import pytest

from inferometer.catalog import tables
from inferometer.catalog.names import index, normalise
from inferometer.errors import CatalogError


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("Virtualized NVIDIA H200-SXM-141GB", "h200-sxm"),
        ("NVIDIA H200-SXM-141GB-CTS", "h200-sxm"),
        ("NVIDIA B200-SXM-180GB", "b200"),
        ("AMD Instinct MI300X 192GB HBM3", "mi300x"),
        ("AMD MI300X-NPS1-SPX-192GB-750W", "mi300x"),
        ("h100-80gb", "h100-sxm"),
        ("Nvidia A100 GPU", "a100-sxm-80gb"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm-40gb"),
        ("NVIDIA GeForce RTX 4090", "rtx-4090"),
        ("TPU v6e", "tpu-v6e"),
        ("RTXPRO6000", "rtx-pro-6000"),
        ("RTX-6000 (600 W part)", "rtx-pro-6000-workstation"),
    ],
)
def test_names_in_the_wild(raw: str, key: str) -> None:
    assert tables.accelerator(raw).key == key


def test_a_name_needs_a_letter_or_digit() -> None:
    assert normalise("--") == ""
    odd = dataclasses.replace(tables.engine("vllm"), aliases=("--",))
    with pytest.raises(CatalogError, match="is not a name"):
        index({"vllm": odd})
