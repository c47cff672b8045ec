"""PyTorch, imported when it is needed, or the line that installs it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from usimg.errors import DependencyMissing


def require_torch() -> Any:
    """The module ``torch``; raises `DependencyMissing` with the line that installs it."""
    try:
        return import_module("torch")
    except ImportError as error:
        raise DependencyMissing(
            f'training needs PyTorch ({error}): pip install "usimg[train]"; using usimg does not need it'
        ) from None
