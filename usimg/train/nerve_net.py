"""The network for nerves and vessels at a prompt: a small U-Net whose skips are added (see `net`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from usimg.outline.nerve_network import CHANNELS, CLASSES
from usimg.train.backend import require_torch

WIDTHS = (16, 32, 64, 80, 96)


def build(widths: Sequence[int] = WIDTHS, *, seed: int = 0) -> Any:
    """A fresh network (`torch.nn.Module`), the same for the same seed.

    Returns
    -------
    torch.nn.Module
        (batch, CHANNELS, SIDE, SIDE) to (batch, CLASSES, GRID, GRID), logits.
    """
    torch = require_torch()
    nn = torch.nn
    Module: Any = nn.Module
    torch.manual_seed(seed)

    convolution, residual = _blocks(torch)

    class NerveNet(Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem = convolution(CHANNELS, widths[0], 5, 2)
            self.down = nn.ModuleList()
            self.up = nn.ModuleList()
            self.narrow = nn.ModuleList()
            for level, width in enumerate(widths):
                before = widths[level - 1] if level else width
                entry = [nn.MaxPool2d(2), convolution(before, width)] if level else []
                body = [residual(width)] if level else [convolution(width, width)]
                if level == len(widths) - 1:
                    body.append(nn.Dropout2d(0.2))
                self.down.append(nn.Sequential(*entry, *body))
                if level < len(widths) - 1:
                    self.narrow.append(nn.Conv2d(widths[level + 1], width, 1))
                    self.up.append(residual(width) if level else convolution(width, width))
            self.grow = nn.Upsample(scale_factor=2, mode="nearest")
            self.head = nn.Sequential(
                convolution(widths[0], 2 * widths[0]), nn.Conv2d(2 * widths[0], CLASSES, 1)
            )

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            skips = []
            for down in self.down:
                x = down(x)
                skips.append(x)
            for level in range(len(widths) - 2, -1, -1):
                x = self.up[level](skips[level] + self.grow(self.narrow[level](x)))
            return self.head(x)

    return NerveNet()


def _blocks(torch: Any) -> tuple[Any, Any]:
    """What levels are made of: a convolution with its norm, and a residual pair of them."""
    nn = torch.nn
    Module: Any = nn.Module

    def convolution(inward: int, outward: int, kernel: int = 3, stride: int = 1) -> Any:
        return nn.Sequential(
            nn.Conv2d(inward, outward, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outward),
            nn.ReLU(inplace=True),
        )

    class Residual(Module):  # type: ignore[misc]
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                convolution(channels, channels),
                nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
                nn.BatchNorm2d(channels),
            )

        def forward(self, x: Any) -> Any:
            return torch.relu(x + self.body(x))

    return convolution, Residual
