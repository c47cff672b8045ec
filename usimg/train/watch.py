"""How a network in training does on pictures it does not learn from: quick, in its own grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usimg.outline.network import Answer, edges, network_input
from usimg.train.backend import require_torch
from usimg.train.dataset import Example
from usimg.train.figures import relative_error
from usimg.train.layout import as_it_is
from usimg.train.targets import output_columns

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Look:
    """What the averaged weights reached at one step; errors are shares of thickness.

    Attributes
    ----------
    step : int
    loss : float
        Mean since the look before, on what is learnt.
    watched : int
        Pictures looked at.
    median, p90, over_10 : float
        Size of the thickness error, and the share of pictures beyond 10 %; NaN with nothing to watch.
    dice : float
        Median overlap of the compartments.
    seconds : float
        Since the look before.
    """

    step: int
    loss: float
    watched: int
    median: float
    p90: float
    over_10: float
    dice: float
    seconds: float


def look_at(net: Any, examples: Sequence[Example], *, step: int, loss: float, seconds: float) -> Look:
    """Outline the examples with the network as it is."""
    if not examples:
        return Look(step, loss, 0, np.nan, np.nan, np.nan, np.nan, seconds)
    found = [_compare(net, example) for example in examples]
    size = np.abs([error for error, _ in found])
    dice = float(np.median([overlap for _, overlap in found]))
    median, p90 = (float(v) for v in np.percentile(size, [50, 90]))
    return Look(step, loss, len(found), median, p90, float((size > 0.1).mean()), dice, seconds)


def answer(net: Any, picture: FloatArray) -> Answer:
    """The network's answer to an input and to its mirror image, averaged."""
    torch = require_torch()
    net.eval()
    views = np.ascontiguousarray(np.stack([picture, picture[..., ::-1]]))
    with torch.no_grad():
        plain, mirrored = net(torch.from_numpy(views)).numpy()
    return Answer.of(plain).averaged(Answer.of(mirrored).mirrored())


def _compare(net: Any, example: Example) -> tuple[float, float]:
    """(relative error of the thickness, Dice), over the columns the expert drew."""
    placed = as_it_is(example)
    truth = output_columns(placed.edges)
    known = np.isfinite(truth).all(axis=0)
    found = edges(answer(net, network_input(placed.gray, placed.usable)))
    ours = (found.upper[known].astype(np.float64), found.lower[known].astype(np.float64))
    return relative_error(*ours, truth[1, known].astype(np.float64), truth[2, known].astype(np.float64))
