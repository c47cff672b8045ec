"""How much of a difference is real: agreement between readers, repeats, sessions, methods; reference values.

>>> from usimg.agreement import compare
"""

from __future__ import annotations

from usimg.agreement.comparing import compare as compare
from usimg.agreement.result import Agreement as Agreement

__all__ = ["Agreement", "compare"]
