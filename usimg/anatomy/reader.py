"""Reads ``anatomy.toml`` and refuses what it does not understand, by the name of the offending key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, cast, get_args

from usimg.anatomy.names import normalise
from usimg.anatomy.structures import (
    EchoRoi,
    Kind,
    Line,
    Outline,
    Position,
    Site,
    Structure,
    ThicknessDefinition,
    View,
)
from usimg.errors import UsimgError

PLANES = ("transverse", "longitudinal", "coronal", "sagittal", "m_mode")
BORDERS = (
    "skin", "superficial_fascia", "intermuscular_fascia", "deep_fascia", "superficial_aponeurosis",
    "deep_aponeurosis", "interosseous_membrane", "epimysium", "bone", "pleura", "peritoneum", "mylohyoid",
    "tongue_surface",
)  # fmt: skip
TRACE_RULES = (
    "inner_edges", "inside_epimysium", "inside_rim", "outside_rim", "outer_border", "lumen", "cortex",
)  # fmt: skip
ROLES = ("muscle_thickness", "muscle_echo", "muscle_csa", "nerve_csa", "fat")

_KIND_KEYS = {"outline", "trace_rule", "planes", "echo_roi", "roles"}
_OUTLINE_KEYS = {"trace_rule", "thickness"}
_STRUCTURE_KEYS = {
    "label", "kind", "outline", "trace_rule", "synonyms", "planes", "sites", "members", "thickness",
    "echo_roi", "roles", "source", "verified",
}  # fmt: skip
_SITE_KEYS = {"label", "landmark", "plane", "measured", "thickness", "echo_roi", "source", "verified"}
_VIEW_KEYS = {"label", "plane", "structures", "layers", "sites", "synonyms"}


@dataclass(frozen=True)
class Anatomy:
    """The whole list, and the table of every way to write a name.

    Attributes
    ----------
    structures : mapping of str to Structure
    views : mapping of str to View
    names : mapping of str to str
        Normalised name or synonym to the name of the structure or view.
    """

    structures: Mapping[str, Structure]
    views: Mapping[str, View]
    names: Mapping[str, str] = field(repr=False)


@cache
def built_in() -> Anatomy:
    """The list that ships with usimg."""
    return parse_anatomy((files("usimg.anatomy") / "anatomy.toml").read_text(encoding="utf-8"))


def parse_anatomy(text: str) -> Anatomy:
    """The anatomy in a TOML text.

    Raises
    ------
    UsimgError
        Not TOML, an unknown key or value, a missing label, two entries with one name, a view of a
        structure that is not there. The message names the key.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsimgError(f"anatomy.toml is not TOML: {error}") from None
    _only(tables, {"kinds", "outlines", "structures", "views"}, "the file")
    kinds = _tables(tables, "kinds", _KIND_KEYS, get_args(Kind))
    outlines = _tables(tables, "outlines", _OUTLINE_KEYS, get_args(Outline))
    structures = {
        name: _structure(name, entry, kinds, outlines)
        for name, entry in _tables(tables, "structures", _STRUCTURE_KEYS).items()
    }
    for structure in structures.values():
        for member in structure.members:
            _known(member, structures, f"structures.{structure.name}.members")
    views = {
        name: _view(name, entry, structures) for name, entry in _tables(tables, "views", _VIEW_KEYS).items()
    }
    return Anatomy(structures, views, _names(structures, views))


def _structure(
    name: str, entry: dict[str, Any], kinds: dict[str, dict[str, Any]], outlines: dict[str, dict[str, Any]]
) -> Structure:
    where = f"structures.{name}"
    kind = _one_of(_text(entry, "kind", where, required=True), get_args(Kind), f"{where}.kind")
    of_kind = kinds.get(kind, {})
    outline = _one_of(
        _text({**of_kind, **entry}, "outline", where, required=True), get_args(Outline), f"{where}.outline"
    )
    # The entry's own word first, then its kind's, then its outline's.
    merged = {**outlines.get(outline, {}), **of_kind, **entry}
    source, verified = _evidence(entry, where)
    members = _texts(entry, "members", where)
    if (kind == "combined") != bool(members):
        raise UsimgError(
            f"anatomy.toml: {where}.members lists the parts of a combined structure, and only of one"
        )
    return Structure(
        name=name,
        label=_text(entry, "label", where, required=True),
        kind=cast("Kind", kind),
        outline=cast("Outline", outline),
        trace_rule=_one_of(
            _text(merged, "trace_rule", where, required=True), TRACE_RULES, f"{where}.trace_rule"
        ),
        synonyms=_texts(entry, "synonyms", where),
        planes=tuple(_one_of(p, PLANES, f"{where}.planes") for p in _texts(merged, "planes", where)),
        sites={
            site: _site(site, table, f"{where}.sites.{site}")
            for site, table in _tables(entry, "sites", _SITE_KEYS, where=where).items()
        },
        members=members,
        thickness=_thickness(merged, where),
        echo_roi=_echo_roi(merged, where) or EchoRoi(),
        roles={
            feature: _one_of(role, ROLES, f"{where}.roles.{feature}")
            for feature, role in merged.get("roles", {}).items()
        },
        source=source,
        verified=verified,
    )


def _site(name: str, entry: dict[str, Any], where: str) -> Site:
    source, verified = _evidence(entry, where)
    return Site(
        name=name,
        label=_text(entry, "label", where, required=True),
        landmark=_text(entry, "landmark", where),
        plane=_one_of(_text(entry, "plane", where) or "transverse", PLANES, f"{where}.plane"),
        measured=_text(entry, "measured", where),
        thickness=_thickness(entry, where),
        echo_roi=_echo_roi(entry, where),
        source=source,
        verified=verified,
    )


def _view(name: str, entry: dict[str, Any], structures: Mapping[str, Structure]) -> View:
    where = f"views.{name}"
    layers = _texts(entry, "layers", where)
    named = _texts(entry, "structures", where)
    for key, values in (("layers", layers), ("structures", named)):
        for value in values:
            _known(value, structures, f"{where}.{key}")
    sums = {s.name: s.members for s in structures.values() if s.members and _follow(s.members, layers)}
    measured = (*(n for n in layers if structures[n].kind != "bone"), *sums, *named)
    if not measured:
        raise UsimgError(f"anatomy.toml: {where} shows nothing that is measured; give layers or structures")
    sites = entry.get("sites", {})
    for structure, site in sites.items():
        if structure not in measured:
            raise UsimgError(f"anatomy.toml: {where}.sites.{structure} is not among what this view measures")
        _known(site, structures[structure].sites, f"{where}.sites.{structure}")
    return View(
        name=name,
        label=_text(entry, "label", where, required=True),
        plane=_one_of(_text(entry, "plane", where) or "transverse", PLANES, f"{where}.plane"),
        structures=tuple(dict.fromkeys(measured)),
        layers=layers,
        sums=sums,
        sites=dict(sites),
        synonyms=_texts(entry, "synonyms", where),
    )


def _follow(members: tuple[str, ...], layers: tuple[str, ...]) -> bool:
    """Whether the members lie under each other, with nothing between."""
    return any(layers[i : i + len(members)] == members for i in range(len(layers)))


def _thickness(entry: Mapping[str, Any], where: str) -> ThicknessDefinition | None:
    table = entry.get("thickness")
    if table is None:
        return None
    where = f"{where}.thickness"
    _only(table, {"rule", "borders", "source", "verified"}, where)
    rule = _text(table, "rule", where, required=True)
    position, _, line = rule.partition("_")
    _one_of(position, get_args(Position), f"{where}.rule (position_line)")
    _one_of(line, get_args(Line), f"{where}.rule (position_line)")
    borders = _texts(table, "borders", where)
    if len(borders) != 2:
        raise UsimgError(
            f"anatomy.toml: {where}.borders needs two, the upper and the lower, not {len(borders)}"
        )
    for border in borders:
        _one_of(border, BORDERS, f"{where}.borders")
    source, verified = _evidence(table, where)
    return ThicknessDefinition(
        position=cast("Position", position),
        line=cast("Line", line),
        borders=(borders[0], borders[1]),
        source=source,
        verified=verified,
    )


def _echo_roi(entry: Mapping[str, Any], where: str) -> EchoRoi | None:
    table = entry.get("echo_roi")
    if table is None:
        return None
    where = f"{where}.echo_roi"
    _only(table, {"margin_mm", "central_width", "depth", "source", "verified"}, where)
    margin = _number(table.get("margin_mm", 0.0), 0.0, 20.0, f"{where}.margin_mm")
    width = _number(table.get("central_width", 1.0), 0.01, 1.0, f"{where}.central_width")
    depth = table.get("depth", [0.0, 1.0])
    if not isinstance(depth, list) or len(depth) != 2:
        raise UsimgError(f"anatomy.toml: {where}.depth needs [from, to], shares of the thickness")
    start, stop = (_number(value, 0.0, 1.0, f"{where}.depth") for value in depth)
    if not start < stop:
        raise UsimgError(
            f"anatomy.toml: {where}.depth runs from {start:g} to {stop:g}; from must be less than to"
        )
    source, verified = _evidence(table, where)
    return EchoRoi(margin, width, (start, stop), source, verified)


def _names(structures: Mapping[str, Structure], views: Mapping[str, View]) -> dict[str, str]:
    """Normalised name or synonym to name; one that means two things is refused."""
    names: dict[str, str] = {}
    entries: list[Structure | View] = [*structures.values(), *views.values()]
    for entry in entries:
        for written in (entry.name, entry.label, *entry.synonyms):
            form = normalise(written)
            if not form:
                raise UsimgError(
                    f"anatomy.toml: {entry.name} has the synonym {written!r}, which has no letter in it"
                )
            if names.setdefault(form, entry.name) != entry.name:
                raise UsimgError(f"anatomy.toml: {written!r} of {entry.name} also names {names[form]}")
    return names


def _tables(
    parent: Mapping[str, Any], key: str, keys: set[str], names: tuple[str, ...] = (), *, where: str = ""
) -> dict[str, dict[str, Any]]:
    """The named tables under ``parent[key]``, each with known keys only."""
    path = f"{where}.{key}" if where else key
    tables = parent.get(key, {})
    for name, table in tables.items():
        if names:
            _one_of(name, names, path)
        if not isinstance(table, dict):
            raise UsimgError(f"anatomy.toml: {path}.{name} is not a table ([{path}.{name}])")
        _only(table, keys, f"{path}.{name}")
    return cast("dict[str, dict[str, Any]]", tables)


def _only(table: Mapping[str, Any], keys: set[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise UsimgError(f"anatomy.toml: {where} has the unknown key {key!r}{_hint(key, keys)}")


def _text(table: Mapping[str, Any], key: str, where: str, *, required: bool = False) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or (required and not value.strip()):
        raise UsimgError(f"anatomy.toml: {where}.{key} {'is not a text' if value else 'is missing'}")
    return value


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise UsimgError(f"anatomy.toml: {where}.{key} is not a list of texts")
    return tuple(value)


def _number(value: Any, low: float, high: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsimgError(f"anatomy.toml: {where} is {value!r}; it must be a number from {low:g} to {high:g}")
    return float(value)


def _evidence(table: Mapping[str, Any], where: str) -> tuple[str, bool]:
    source = _text(table, "source", where)
    verified = table.get("verified", False)
    if not isinstance(verified, bool):
        raise UsimgError(f"anatomy.toml: {where}.verified is {verified!r}; it is true or false")
    if verified and not source:
        raise UsimgError(f"anatomy.toml: {where} is verified but names no source")
    return source, verified


def _one_of(value: str, allowed: tuple[str, ...], where: str) -> str:
    if value not in allowed:
        raise UsimgError(
            f"anatomy.toml: {where} is {value!r}{_hint(value, allowed)}; it may be {', '.join(allowed)}"
        )
    return value


def _known(name: str, among: Mapping[str, Any], where: str) -> None:
    if name not in among:
        raise UsimgError(
            f"anatomy.toml: {where} names {name!r}, which is not in the list{_hint(name, among)}"
        )


def _hint(word: str, known: Any) -> str:
    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
