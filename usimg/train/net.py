"""The network: where, in every column, each of five layers lies and where the muscle begins and ends.

A U-Net of six levels whose skips are added, not joined: half the work of joining on one core, and training
on one core is what a lab has. The first layer halves the columns and keeps the rows, because thickness is
measured down the rows. Deep levels, a sixteenth of the work, are the widest: choosing the right two lines
needs the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from usimg.outline.network import INPUT_CHANNELS, OUTPUT_CHANNELS
from usimg.train.backend import require_torch

WIDTHS = (12, 24, 48, 80, 112, 128)


def build(widths: Sequence[int] = WIDTHS, *, seed: int = 0) -> Any:
    """A fresh network (`torch.nn.Module`), the same for the same seed.

    Parameters
    ----------
    widths : sequence of int
        Channels from the finest level to the coarsest.

    Returns
    -------
    torch.nn.Module
        (batch, INPUT_CHANNELS, rows, cols) to (batch, OUTPUT_CHANNELS, rows, cols / 2), logits.
    """
    torch = require_torch()
    nn = torch.nn
    Module: Any = nn.Module
    torch.manual_seed(seed)

    def convolution(inward: int, outward: int, kernel: int | tuple[int, int] = 3, stride: Any = 1) -> Any:
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        return nn.Sequential(
            nn.Conv2d(inward, outward, size, stride, (size[0] // 2, size[1] // 2), bias=False),
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

    class LayerNet(Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem = convolution(INPUT_CHANNELS, widths[0], (3, 5), (1, 2))
            self.down = nn.ModuleList()
            self.up = nn.ModuleList()
            self.narrow = nn.ModuleList()
            for level, width in enumerate(widths):
                before = widths[level - 1] if level else width
                entry = [nn.MaxPool2d(2), convolution(before, width)] if level else []
                deep = level >= 3
                body = [Residual(width), Residual(width)] if deep else [convolution(width, width)]
                self.down.append(nn.Sequential(*entry, *body))
                if level < len(widths) - 1:
                    self.narrow.append(nn.Conv2d(widths[level + 1], width, 1))
                    self.up.append(Residual(width) if deep else convolution(width, width))
            self.grow = nn.Upsample(scale_factor=2, mode="nearest")
            self.head = nn.Sequential(
                convolution(widths[0], 2 * widths[0]), nn.Conv2d(2 * widths[0], OUTPUT_CHANNELS, 1)
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

    return LayerNet()
