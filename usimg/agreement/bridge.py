"""Echo intensity carried from one machine to another, by pairs of scans of the same muscles on both.

Deming regression, since both machines have error (Deming 1943; interval by jackknife over patients, Linnet
1990, Stat Med 9:1463). The raw value stays; the bridged one is a column of its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t

from usimg.agreement.icc import LEVEL, Interval
from usimg.errors import StudyRefused
from usimg.study.files import write_text

FloatArray = NDArray[np.float64]
KIND = "usimg bridge of echo intensity"
# Patients below which a line is no bridge (chosen here; the published conversion used 7 people and a phantom,
# and was then checked in 22).
FEWEST = 10


@dataclass(frozen=True)
class Bridge:
    """A line from the grey levels of one settings key to those of another.

    Attributes
    ----------
    source, target : str
        Settings keys, or names of devices, as the table has them.
    measure : str
    intercept, slope : Interval
    covariance : list
        Of intercept and slope.
    low, high : float
        Grey levels of `source` that were seen; outside of them nothing is bridged.
    residual_sd : float
        Of the target's value about the line.
    ratio : float
        Error variance of the target by that of the source.
    ratio_from : str
        ``repeats``, or ``assumed``.
    n, pairs : int
        Patients, and pairs of their values.
    citation : str
    """

    source: str
    target: str
    measure: str
    intercept: Interval
    slope: Interval
    covariance: list[list[float]]
    low: float
    high: float
    residual_sd: float
    ratio: float
    ratio_from: str
    n: int
    pairs: int
    citation: str = ""

    def write(self, path: Path) -> Path:
        """Write it as JSON."""
        write_text(path, json.dumps({"kind": KIND, "schema": 1, **asdict(self)}, indent=1) + "\n")
        return path

    @classmethod
    def read(cls, path: Path) -> Bridge:
        """Read a file that `write` made.

        Raises
        ------
        StudyRefused
            Not such a file.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            kind, schema = content.pop("kind"), content.pop("schema")
            content |= {name: Interval(**content[name]) for name in ("intercept", "slope")}
            made = cls(**content)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StudyRefused(
                f"{path.name} is no bridge ({error}); usimg reference bridge writes one"
            ) from None
        if (kind, schema) != (KIND, 1):
            raise StudyRefused(f"{path.name} is no bridge that this usimg reads ({kind}, schema {schema})")
        return made


def fit_bridge(values: pd.DataFrame, source: str, target: str, *, citation: str = "") -> Bridge:
    """Fit the line between two machines.

    Parameters
    ----------
    values : DataFrame
        Rows per value and machine with ``subject``, ``structure``, ``site``, ``side``, ``measure``,
        ``settings``, ``value``, ``image_variance``, ``images``.
    source, target : str
        Entries of ``settings``.

    Raises
    ------
    StudyRefused
        A machine is not in the table, too few patients, or no echo intensity.
    """
    echo = values[values["measure"].str.startswith("echo_intensity")]
    if echo.empty:
        raise StudyRefused("the table has no echo intensity: lengths and areas need no bridge")
    measures = sorted(set(echo["measure"]))
    if len(measures) > 1:
        raise StudyRefused(f"bridge one measure at a time; the table has {', '.join(measures)}")
    machines = sorted(set(echo["settings"]))
    for one in (source, target):
        if one not in machines:
            raise StudyRefused(f"no values of {one!r}; column settings has {', '.join(map(repr, machines))}")
    place = ["subject", "structure", "site", "side"]
    both = echo[echo["settings"] == source].merge(
        echo[echo["settings"] == target], on=place, suffixes=("_source", "_target")
    )
    x = both["value_source"].to_numpy(dtype=np.float64)
    y = both["value_target"].to_numpy(dtype=np.float64)
    who = pd.factorize(both["subject"])[0]
    n = len(set(who))
    if n < FEWEST:
        raise StudyRefused(f"{n} patients were scanned on both machines; a bridge needs at least {FEWEST}")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise StudyRefused("every value of a machine is the same: no line can be fitted")
    errors = [
        float((both[f"image_variance_{end}"] / both[f"images_{end}"]).mean()) for end in ("source", "target")
    ]
    known = all(np.isfinite(error) and error > 0 for error in errors)
    ratio = errors[1] / errors[0] if known else 1.0
    intercept, slope = deming(x, y, ratio)
    parts = np.array([deming(x[who != left], y[who != left], ratio) for left in range(n)])
    pseudo = n * np.array([intercept, slope]) - (n - 1) * parts
    covariance = np.cov(pseudo.T) / n
    half = float(t.ppf(1 - (1 - LEVEL) / 2, n - 1)) * np.sqrt(np.diag(covariance))
    rest = y - intercept - slope * x
    return Bridge(
        source,
        target,
        measures[0],
        Interval(intercept, intercept - float(half[0]), intercept + float(half[0])),
        Interval(slope, slope - float(half[1]), slope + float(half[1])),
        covariance.tolist(),
        float(x.min()),
        float(x.max()),
        float(np.sqrt(rest @ rest / (len(x) - 2))),
        ratio,
        "repeats" if known else "assumed",
        n,
        len(x),
        citation,
    )


def deming(x: FloatArray, y: FloatArray, ratio: float = 1.0) -> tuple[float, float]:
    """Intercept and slope of the line between two measurements with error.

    Parameters
    ----------
    x, y : (N,) arrays
    ratio : float
        Error variance of y by that of x.

    Examples
    --------
    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> tuple(round(v, 6) for v in deming(x, 2 * x + 1))
    (1.0, 2.0)
    """
    dx, dy = x - x.mean(), y - y.mean()
    xx, yy, xy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if xy == 0:
        raise StudyRefused("the two machines' values do not go together: no line can be fitted")
    lead = yy - ratio * xx
    slope = (lead + float(np.sqrt(lead**2 + 4 * ratio * xy**2))) / (2 * xy)
    return float(y.mean() - slope * x.mean()), slope


def bridged(values: pd.DataFrame, bridge: Bridge) -> pd.DataFrame:
    """Values with ``echo_intensity_bridged``, its interval, to which machine, and why one is missing.

    Parameters
    ----------
    values : DataFrame
        Of `usimg.agreement.values.read`.
    """
    rows = values[["subject", "visit", "structure", "site", "side", "measure", "settings", "value"]].copy()
    raw = rows["value"].to_numpy(dtype=np.float64)
    reason = np.full(len(rows), "", dtype=object)
    reason[(rows["measure"] != bridge.measure).to_numpy()] = f"the bridge is of {bridge.measure}"
    other = (rows["settings"] != bridge.source).to_numpy() & (reason == "")
    reason[other & (rows["settings"] == bridge.target).to_numpy()] = "already of the target machine"
    reason[other & (reason == "")] = f"not under the settings that the bridge begins at ({bridge.source})"
    outside = ((raw < bridge.low) | (raw > bridge.high)) & (reason == "")
    reason[outside] = f"outside of {bridge.low:.4g} to {bridge.high:.4g}, where the bridge was made"
    value = bridge.intercept.value + bridge.slope.value * raw
    x = np.column_stack([np.ones(len(raw)), raw])
    line = np.einsum("ij,jk,ik->i", x, np.array(bridge.covariance), x)
    half = float(t.ppf(1 - (1 - LEVEL) / 2, bridge.n - 1)) * np.sqrt(line + bridge.residual_sd**2)
    usable = reason == ""
    return rows.assign(
        echo_intensity_bridged=np.where(usable, value, np.nan),
        bridged_low=np.where(usable, value - half, np.nan),
        bridged_high=np.where(usable, value + half, np.nan),
        bridged_to=np.where(usable, bridge.target, ""),
        reason=reason,
    )
