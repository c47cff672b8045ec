"""What the anatomy list says about a structure, a site and a view; plain data, no pixels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from usimg.anatomy.names import nearest, normalise
from usimg.errors import AnatomyUnknown

Kind = Literal["muscle", "combined", "nerve", "vessel", "fat", "bone"]
Outline = Literal["layer", "section", "rim", "border"]
Line = Literal["vertical", "perpendicular"]
Position = Literal["mean", "mid", "max"]


@dataclass(frozen=True, slots=True)
class ThicknessDefinition:
    """How the one primary thickness of a structure is taken.

    Attributes
    ----------
    position : str
        ``"mean"`` over the visible width, ``"mid"`` at half of it, or ``"max"``.
    line : str
        ``"vertical"`` along the image's depth axis, or ``"perpendicular"`` to the layer's mid-line.
    borders : tuple of str
        (upper, lower): the borders between which it runs, each its inner edge; ``"bone"`` is the
        near surface of the cortex.
    source : str
        Where the definition was read; empty when nowhere.
    verified : bool
        Whether landmark and borders were both read in that source.
    """

    position: Position
    line: Line
    borders: tuple[str, str]
    source: str = ""
    verified: bool = False

    @property
    def rule(self) -> str:
        """Name for ``thickness_rule``, e.g. ``"mean_vertical"``."""
        return f"{self.position}_{self.line}"


@dataclass(frozen=True, slots=True)
class EchoRoi:
    """The part of an outline whose grey levels count as its echo intensity by protocol.

    Attributes
    ----------
    margin_mm : float
        Kept clear of the inner edges, so that fascia never enters. 0 takes the whole outline.
    central_width : float
        Share of the outline's width that is used, about its middle; 0 to 1.
    depth : tuple of float
        (from, to) as shares of the local thickness, 0 at the upper edge.
    source : str
    verified : bool
    """

    margin_mm: float = 0.0
    central_width: float = 1.0
    depth: tuple[float, float] = (0.0, 1.0)
    source: str = ""
    verified: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.margin_mm == 0.0 and self.is_largest

    @property
    def is_largest(self) -> bool:
        """Whether only the margin is left out."""
        return self.central_width == 1.0 and self.depth == (0.0, 1.0)

    @property
    def rule(self) -> str:
        """Name for ``echo_rule``: two regions with equal names were made by equal numbers."""
        if self.is_whole:
            return "whole_outline"
        if self.is_largest:
            return f"largest_inside_fascia_{self.margin_mm:g}mm"
        start, stop = self.depth
        return f"inside_fascia_{self.margin_mm:g}mm_width_{self.central_width:g}_depth_{start:g}-{stop:g}"


_ECHO_RULE = re.compile(
    r"(?:largest_)?inside_fascia_(?P<margin>[\d.e+-]+)mm"
    r"(?:_width_(?P<width>[\d.e+-]+)_depth_(?P<start>[\d.e+-]+?)-(?P<stop>[\d.e+-]+))?"
)


def echo_roi_of_rule(rule: str) -> EchoRoi | None:
    """The region that a table's ``echo_rule`` names, so that it can be drawn; None for any other text.

    Examples
    --------
    >>> region = EchoRoi(margin_mm=0.5, central_width=0.6, depth=(0.0, 0.5))
    >>> echo_roi_of_rule(region.rule) == region
    True
    """
    if rule == "whole_outline":
        return EchoRoi()
    found = _ECHO_RULE.fullmatch(rule)
    if found is None:
        return None
    if found["width"] is None:
        return EchoRoi(float(found["margin"]))
    return EchoRoi(
        float(found["margin"]), float(found["width"]), (float(found["start"]), float(found["stop"]))
    )


@dataclass(frozen=True, slots=True)
class Site:
    """Where on a structure the probe is put, and what is measured there.

    Attributes
    ----------
    name, label : str
    landmark : str
        How a sonographer finds the place.
    plane : str
    measured : str
        From which border to which, in words.
    thickness : ThicknessDefinition or None
        The site's own; None takes the structure's.
    echo_roi : EchoRoi or None
        The site's own; None takes the structure's.
    source : str
    verified : bool
        Whether landmark and borders were both read in ``source``.
    """

    name: str
    label: str
    landmark: str = ""
    plane: str = "transverse"
    measured: str = ""
    thickness: ThicknessDefinition | None = None
    echo_roi: EchoRoi | None = None
    source: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Structure:
    """One entry of the anatomy list.

    Attributes
    ----------
    name, label : str
    kind : str
        ``"muscle"``, ``"combined"`` (muscles measured as one), ``"nerve"``, ``"vessel"``, ``"fat"``
        or ``"bone"`` (a border only).
    outline : str
        ``"layer"`` (between two edges across the picture), ``"section"`` (closed, inside the
        epimysium), ``"rim"`` (closed, round) or ``"border"``.
    trace_rule : str
        Which contour an outline of it follows.
    synonyms : tuple of str
    planes : tuple of str
        Those it is scanned in, the usual one first.
    sites : mapping of str to Site
        In the order of the list; may be empty.
    members : tuple of str
        Of a combined structure: its parts, top to bottom.
    thickness : ThicknessDefinition or None
        None for what is measured by area.
    echo_roi : EchoRoi
    roles : mapping of str to str
        Column of the measurement table to its role in a phenotype.
    source : str
    verified : bool
        Whether its definition was read in ``source``; sites carry their own.
    """

    name: str
    label: str
    kind: Kind
    outline: Outline
    trace_rule: str
    synonyms: tuple[str, ...] = ()
    planes: tuple[str, ...] = ()
    sites: Mapping[str, Site] = field(default_factory=dict, hash=False)
    members: tuple[str, ...] = ()
    thickness: ThicknessDefinition | None = None
    echo_roi: EchoRoi = EchoRoi()
    roles: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: str = ""
    verified: bool = False

    def site(self, name: str) -> Site:
        """The site of that name or label, written in any case, with spaces or underscores.

        Raises
        ------
        AnatomyUnknown
            The structure has no such site; the message lists those it has.
        """
        wanted = normalise(name)
        for site in self.sites.values():
            if wanted in (normalise(site.name), normalise(site.label)):
                return site
        near = nearest(wanted, {normalise(s): s for s in self.sites})
        have = ", ".join(self.sites) or "none in the anatomy list"
        hint = f"; nearest: {', '.join(near)}" if near else ""
        raise AnatomyUnknown(f"{self.name} has no site {name!r}{hint}; its sites: {have}")

    def thickness_at(self, site: str = "") -> ThicknessDefinition | None:
        """The primary thickness definition at a site; a site the list does not hold has the structure's."""
        known = self.sites.get(site)
        return known.thickness if known is not None and known.thickness is not None else self.thickness

    def echo_roi_at(self, site: str = "") -> EchoRoi:
        """The region for echo intensity at a site; a site the list does not hold has the structure's."""
        known = self.sites.get(site)
        return known.echo_roi if known is not None and known.echo_roi is not None else self.echo_roi


@dataclass(frozen=True, slots=True)
class View:
    """What one picture shows when the probe stands in a usual place; it may yield several structures.

    Attributes
    ----------
    name, label : str
    plane : str
    structures : tuple of str
        What is measured in it, sums included.
    layers : tuple of str
        Top to bottom, as they follow each other below the skin; bone last where it is seen.
    sums : mapping of str to tuple of str
        Combined structure to the layers it spans.
    sites : mapping of str to str
        Structure to the name of its site in this view, where the list has one.
    synonyms : tuple of str
    """

    name: str
    label: str
    plane: str
    structures: tuple[str, ...]
    layers: tuple[str, ...] = ()
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    sites: Mapping[str, str] = field(default_factory=dict, hash=False)
    synonyms: tuple[str, ...] = ()
