"""The columns of the measurement table: name, dtype, in their order. One table, as `regionprops_table` has.

A number whose name has no unit is a grey level (0 to 255), a ratio or a count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from usimg.measurement.thickness import RULES

COLUMNS: dict[str, str] = {
    # what it is
    "structure": "str",
    "site": "str",
    "side": "str",
    "plane": "str",
    "region": "Int64",
    "n_parts": "int64",
    # thickness: the one primary definition, then every rule by name
    "thickness_mm": "float64",
    "thickness_rule": "str",
    **{f"thickness_{rule}_mm": "float64" for rule in RULES},
    "thickness_px": "float64",
    # area
    "csa_mm2": "float64",
    "trace_rule": "str",
    "perimeter_mm": "float64",
    "roundness": "float64",
    "csa_px2": "float64",
    "perimeter_px": "float64",
    # grey levels in the outline
    "echo_intensity": "float64",
    "echo_intensity_sd": "float64",
    "echo_intensity_median": "float64",
    "echo_intensity_p5": "float64",
    "echo_intensity_p25": "float64",
    "echo_intensity_p75": "float64",
    "echo_intensity_p95": "float64",
    "echovariation": "float64",
    "black_fraction": "float64",
    "saturated_fraction": "float64",
    "overlay_fraction": "float64",
    "pixel_count": "int64",
    "depth_min_mm": "float64",
    "depth_max_mm": "float64",
    # grey levels in the protocol's region
    "echo_intensity_protocol": "float64",
    "echo_intensity_protocol_sd": "float64",
    "echo_pixel_count": "int64",
    "echo_rule": "str",
    # what it rests on
    "row_mm": "float64",
    "col_mm": "float64",
    "scale_source": "str",
    "definition_verified": "bool",
    "definition_source": "str",
    "method": "str",
    "confidence": "float64",
    "validated": "bool",
    "flags": "str",
    "reason": "str",
}

_NOTHING = {"float64": float("nan"), "str": "", "int64": 0, "Int64": None, "bool": False}
# A row in which nothing was measured.
BLANK = {name: _NOTHING[dtype] for name, dtype in COLUMNS.items()}


def as_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A DataFrame of rows that have every column; without rows it has the columns and dtypes too."""
    return pd.DataFrame(
        {name: _column([row[name] for row in rows], dtype) for name, dtype in COLUMNS.items()}, copy=False
    )


def _column(values: list[Any], dtype: str) -> Any:
    """Bare arrays: a Series for each of some fifty columns would cost more than the measuring."""
    return (
        pd.Series(values, dtype=dtype).array if dtype in ("str", "Int64") else np.array(values, dtype=dtype)
    )
