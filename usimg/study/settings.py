"""The settings key of a study's rows: which grey levels may be averaged and compared.

It gates echo intensity only. Rows keep what tags and picture say; what ``devices.csv`` declares is laid over
it here, so that a line added today holds for what was measured last year.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import date
from typing import Any

import pandas as pd

from usimg.study.days import date_of
from usimg.study.devices import (
    DEPTH_TOLERANCE_MM,
    FIELDS,
    UNKNOWN,
    Declared,
    Setting,
    Settings,
    filled_in,
)
from usimg.study.schema import SETTINGS, plain

# What a key calls its parts, and their units.
_WORDS = {
    "maker": ("", ""), "model": ("", ""), "probe": ("probe ", ""), "preset": ("preset ", ""),
    "gain_db": ("gain ", " dB"), "depth_mm": ("depth ", " mm"), "dynamic_range_db": ("range ", " dB"),
    "map": ("map ", ""),
}  # fmt: skip
BETWEEN = " | "
NOT_KNOWN = "?"


def with_settings(rows: pd.DataFrame, declared: Sequence[Declared] = (), key: bytes = b"") -> pd.DataFrame:
    """Rows with ``settings``, the key in words.

    Parameters
    ----------
    rows : DataFrame
        Of a fold.
    declared : sequence of Declared
        Lines of ``devices.csv``.
    key : bytes
        The study's secret: lines that hold for some days only need it.

    Notes
    -----
    Two rows have one key when all that is known of both is equal, depths to the tolerance, and the same is
    unknown of both. A part that is not known is a question mark: such a key is compared within one visit
    alone, where nobody changed what is not known, and with no other patient's (`is_known`).
    """
    names = [*SETTINGS, "device"]
    dated = any(line.first or line.last for line in declared)
    if dated:
        names += ["subject", "day"]
    presets = {preset_code(str(n), key): str(n) for line in declared if (n := line.settings.get("preset"))}
    facts = rows[names].astype(object).where(rows[names].notna(), None)
    every = list(facts.itertuples(index=False, name=None))
    of = {
        one: _settings(dict(zip(names, one, strict=True)), declared, presets, key if dated else None)
        for one in set(every)
    }
    words = _keys(set(of.values()))
    return rows.assign(settings=pd.array([words[of[one]] for one in every], dtype="string"))


def preset_code(preset: str, key: bytes) -> str:
    """What rows keep of a preset's name: people type it, and it may name a patient.

    A preset that ``devices.csv`` names is shown by its name.
    """
    text = b"preset\0" + " ".join(preset.split()).encode("utf-8")
    return f"p-{hmac.new(key, text, hashlib.sha256).hexdigest()[:8]}"


def without_names(row: dict[str, Any], key: bytes) -> dict[str, Any]:
    """A row as a study may keep it: its preset by a code."""
    preset = row.get("preset")
    return row if not preset else {**row, "preset": preset_code(str(preset), key)}


def is_known(key: str) -> bool:
    """Whether nothing of a settings key is unknown, so that grey levels under it compare between patients."""
    return bool(key) and not any(part.endswith(NOT_KNOWN) for part in key.split(BETWEEN))


def not_known(key: str) -> tuple[str, ...]:
    """Which parts of a settings key are not known, in words: ``gain``, ``dynamic range``, ``map``, ..."""
    parts = key.split(BETWEEN) if key else [NOT_KNOWN] * len(_WORDS)
    return tuple(
        name.removesuffix("_db").removesuffix("_mm").replace("_", " ")
        for name, part in zip(_WORDS, parts, strict=True)
        if part.endswith(NOT_KNOWN)
    )


def differences(keys: Sequence[str]) -> str:
    """In which parts several keys differ, e.g. ``depth 40 mm or depth 50 mm``."""
    columns = zip(*(key.split(BETWEEN) for key in keys), strict=True)
    return "; ".join(" or ".join(sorted(set(column))) for column in columns if len(set(column)) > 1)


def _settings(
    row: dict[str, Any], declared: Sequence[Declared], presets: dict[str, str], key: bytes | None
) -> Settings:
    known = {
        name: Setting(value, "picture" if name == "depth_mm" else "tag")
        for name in FIELDS
        if (value := plain(row["grey_map" if name == "map" else name])) is not None
    }
    if "preset" in known:
        code = str(known["preset"].value)
        known["preset"] = Setting(presets.get(code, code), "tag")
    if "maker" not in known and row["device"]:  # a row of an older usimg: all three in one
        known["maker"] = Setting(str(row["device"]), "tag")
    when: date | None = None
    if key is not None and row["day"] is not None:
        when = date_of(int(row["day"]), str(row["subject"] or ""), key)
    return filled_in(known, declared, when)


def _keys(found: set[Settings]) -> dict[Settings, str]:
    """A key in words for each; depths that differ by less than the tolerance have one depth."""
    rest = [name for name in FIELDS if name != "depth_mm"]

    def order(one: Settings) -> tuple[Any, ...]:
        return (*(str(getattr(one, name)) for name in rest), one.depth_mm.value or -1.0)

    words: dict[Settings, str] = {}
    first: Settings | None = None
    for one in sorted(found, key=order):
        same = first is not None and order(first)[:-1] == order(one)[:-1]
        mine, theirs = one.depth_mm.value, None if first is None else first.depth_mm.value
        near = (
            isinstance(mine, float) and isinstance(theirs, float) and mine - theirs <= DEPTH_TOLERANCE_MM
        ) or (mine is None and theirs is None)
        if not (same and near):
            first = one
        depth = UNKNOWN if first is None else first.depth_mm
        words[one] = BETWEEN.join(
            _part(name, depth if name == "depth_mm" else getattr(one, name)) for name in _WORDS
        )
    return words


def _part(name: str, setting: Setting) -> str:
    before, unit = _WORDS[name]
    if setting.value is None:
        return f"{before or name + ' '}{NOT_KNOWN}"
    value = f"{setting.value:.4g}" if isinstance(setting.value, float) else setting.value
    # What separates parts cannot stand in one.
    said = value.replace("|", "/").rstrip(NOT_KNOWN)
    return f"{before}{said}{unit}" + (" (declared)" if setting.source == "declared" else "")
