"""Accelerators under the names that drivers, clouds and result files use."""

import pytest

from inferometer.catalog.tables import accelerator
from inferometer.errors import CatalogError


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("H100-SXM5-80GB", "h100-sxm"),
        ("NVIDIA H100-SXM-80GB", "h100-sxm"),
        ("NVIDIA H200-SXM-141GB-CTS", "h200-sxm"),
        ("NVIDIA H100-PCIe-80GB", "h100-pcie"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm-40gb"),
        ("A100 40GB SXM", "a100-sxm-40gb"),
        ("A100 SXM4 80 GB", "a100-sxm-80gb"),
        ("Tesla V100-SXM2-32GB", "v100-sxm-32gb"),
        ("Tesla V100-PCIE-16GB", "v100-pcie-16gb"),
        ("NVIDIA GH200 480GB", "gh200"),
        ("NVIDIA GH200 Grace Hopper Superchip 96GB", "gh200"),
        ("NVIDIA GH200-GraceHopper-Superchip_GPU-144GB_aarch64", "gh200-144gb"),
        ("NVIDIA B200-SXM-180GB", "b200"),
        ("gb200_sxm", "gb200"),
        ("NVIDIA L40S-48GB", "l40s"),
        ("L4-PCIe", "l4"),
        ("NVIDIA GeForce RTX 5090", "rtx-5090"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "rtx-pro-6000"),
        ("RTX PRO 6000 Blackwell Max-Q Workstation Edition", "rtx-pro-6000-max-q"),
        ("AMD Instinct MI300X OAM", "mi300x"),
        ("AMD Instinct MI300X 192GB HBM3", "mi300x"),
        ("AMD Instinct MI325X 256GB HBM3E", "mi325x"),
        ("MI325X-256GB-1000W", "mi325x"),
        ("gfx942", "mi300x"),
        ("gfx90a", "mi250"),
        ("Intel Gaudi 2", "gaudi2"),
        ("Intel Data Center GPU Max 1550", "intel-max-1550"),
        ("TPU v5 lite", "tpu-v5e"),
        ("Trn2", "trainium2"),
        ("SambaNova SN40L", "sn40l"),
    ],
)
def test_names_of_drivers_and_results_are_found(name: str, key: str) -> None:
    assert accelerator(name).key == key


@pytest.mark.parametrize(
    "name", ["H100-SXM-64GB", "RTX 3090 12GB", "A100 20GB", "GPU", "80GB", "sxm5", "2x A100"]
)
def test_another_memory_or_no_part_at_all_is_no_name(name: str) -> None:
    with pytest.raises(CatalogError, match="no accelerator is named"):
        accelerator(name)
