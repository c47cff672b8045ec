"""Weights for `usimg.outline`, made from a folder of labelled pictures: ``usimg advanced train``.

PyTorch (extra ``train``) is imported only when a training or an export runs; what is shipped, the
ONNX file, needs none of it.
"""

from __future__ import annotations

from usimg.train.command import Trained as Trained
from usimg.train.command import train as train
from usimg.train.fit import Plan as Plan
from usimg.train.watch import Look as Look

__all__ = ["Look", "Plan", "Trained", "train"]
