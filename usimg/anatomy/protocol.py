"""What a laboratory does otherwise than the list: its echo region, its thickness definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from usimg.anatomy.structures import EchoRoi, Structure, ThicknessDefinition


@dataclass(frozen=True, slots=True)
class Protocol:
    """A laboratory's definitions, laid over those of the anatomy list.

    Attributes
    ----------
    name : str
    echo_roi : EchoRoi or None
        For muscles, alone or combined; None takes the list's. A site whose own region is its
        definition (the upper third of the tongue) keeps it.
    thickness : mapping of str to ThicknessDefinition
        By ``"structure"`` or ``"structure@site"``, names of the list; the more exact one counts.
    """

    name: str
    echo_roi: EchoRoi | None = None
    thickness: Mapping[str, ThicknessDefinition] = field(default_factory=dict, hash=False)

    def thickness_of(self, structure: Structure, site: str = "") -> ThicknessDefinition | None:
        """The primary thickness definition here; None for what is measured by area."""
        for key in (f"{structure.name}@{site}", structure.name):
            if key in self.thickness:
                return self.thickness[key]
        return structure.thickness_at(site)

    def echo_roi_of(self, structure: Structure, site: str = "") -> EchoRoi:
        """The region for echo intensity here."""
        known = structure.sites.get(site)
        has_own = known is not None and known.echo_roi is not None
        if self.echo_roi is None or has_own or structure.kind not in ("muscle", "combined"):
            return structure.echo_roi_at(site)
        return self.echo_roi


@cache
def generic_protocol() -> Protocol:
    """The anatomy list as it stands: what ``protocol=None`` means."""
    return Protocol(name="generic")
