"""Outlines of a study, read when a page is shown: thousands of scans open without their geometry. No Qt."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from usimg.study.decisions import Decision
from usimg.study.schema import GEOMETRY

# Parts whose outlines are kept: pages follow each other by patient, so that neighbours share a part.
KEPT_PARTS = 8


class Outlines:
    """Geometry by outline id, part by part.

    Parameters
    ----------
    automatic : Path
        Folder of the parts; damaged ones are passed over (the fold reports them).
    decisions : mapping
        People's outlines by id.
    """

    def __init__(self, automatic: Path, decisions: Mapping[str, Decision]) -> None:
        self.automatic = automatic
        self.decisions = dict(decisions)
        self._part_of: dict[str, str] = {}
        self._seen: set[str] = set()
        self._kept: OrderedDict[str, dict[str, dict[str, Any]]] = OrderedDict()
        self.look()

    def look(self) -> None:
        """Learn which part holds which outline, of the parts that came since."""
        for path in sorted(self.automatic.glob("*.parquet")):
            if path.name in self._seen:
                continue
            try:
                ids = pq.read_table(path, columns=["outline"])["outline"].to_pylist()
            except (OSError, pa.ArrowException):
                continue
            self._seen.add(path.name)
            self._part_of |= dict.fromkeys(ids, path.name)

    def of(self, outline: str) -> dict[str, Any]:
        """The columns of `usimg.study.schema.GEOMETRY`; all None for one that is not there."""
        drawn = self.decisions.get(outline)
        if drawn is not None:
            return {name: drawn.content["outline"].get(name) for name in GEOMETRY}
        if outline not in self._part_of:
            self.look()
        part = self._part_of.get(outline)
        return self._read(part).get(outline, dict.fromkeys(GEOMETRY)) if part else dict.fromkeys(GEOMETRY)

    def add(self, decision: Decision) -> None:
        """Keep an outline that was drawn just now."""
        self.decisions[decision.id] = decision

    def _read(self, part: str) -> dict[str, dict[str, Any]]:
        if part in self._kept:
            self._kept.move_to_end(part)
            return self._kept[part]
        try:
            table = pq.read_table(self.automatic / part, columns=["outline", *GEOMETRY])
        except (OSError, pa.ArrowException):
            return {}
        held = {record.pop("outline"): record for record in table.to_pylist()}
        self._kept[part] = held
        while len(self._kept) > KEPT_PARTS:
            self._kept.popitem(last=False)
        return held
