"""The anatomy list: structures, sites and views by every name people give them.

Examples
--------
>>> from usimg import anatomy
>>> anatomy.structure("N. medianus").name
'median_nerve'
>>> anatomy.view("Oberarm").layers
('subcutaneous_fat', 'biceps_brachii', 'brachialis', 'humerus')
>>> anatomy.structure("Rectus Femoris").thickness.rule
'mean_vertical'
"""

from __future__ import annotations

from collections.abc import Mapping

from usimg.anatomy.names import nearest, normalise
from usimg.anatomy.protocol import Protocol as Protocol
from usimg.anatomy.protocol import generic_protocol as generic_protocol
from usimg.anatomy.reader import Anatomy as Anatomy
from usimg.anatomy.reader import built_in, parse_anatomy
from usimg.anatomy.structures import EchoRoi, Site, Structure, ThicknessDefinition, View
from usimg.errors import AnatomyUnknown

__all__ = [
    "Anatomy",
    "EchoRoi",
    "Protocol",
    "Site",
    "Structure",
    "ThicknessDefinition",
    "View",
    "find",
    "generic_protocol",
    "normalise",
    "parse_anatomy",
    "role",
    "structure",
    "structures",
    "view",
    "views",
    "views_with",
]


def find(name: str) -> Structure | View:
    """The structure or view with that name, label or synonym.

    Parameters
    ----------
    name : str
        Any case, with spaces or underscores; abbreviations and German words too.

    Raises
    ------
    AnatomyUnknown
        The list holds nothing of that name; the message names the nearest.
    """
    known = built_in()
    found = known.names.get(normalise(name))
    if found is None:
        raise AnatomyUnknown(
            f"the anatomy list holds no structure or view {name!r}{_suggest(name, known.names)}"
        )
    return known.structures[found] if found in known.structures else known.views[found]


def structure(name: str) -> Structure:
    """The structure with that name, label or synonym; raises `AnatomyUnknown` as `find` does."""
    known = built_in()
    found = known.names.get(normalise(name), "")
    if found in known.structures:
        return known.structures[found]
    if found:
        shown = ", ".join(known.views[found].structures)
        raise AnatomyUnknown(f"{name!r} is a view, not a structure; it shows {shown}")
    names = {form: n for form, n in known.names.items() if n in known.structures}
    raise AnatomyUnknown(f"the anatomy list holds no structure {name!r}{_suggest(name, names)}")


def view(name: str) -> View:
    """The view with that name, label or synonym; raises `AnatomyUnknown` as `find` does."""
    known = built_in()
    found = known.names.get(normalise(name), "")
    if found in known.views:
        return known.views[found]
    if found:
        within = ", ".join(v.name for v in views_with(found)) or "none"
        raise AnatomyUnknown(f"{name!r} is a structure, not a view; views that show it: {within}")
    names = {form: n for form, n in known.names.items() if n in known.views}
    raise AnatomyUnknown(f"the anatomy list holds no view {name!r}{_suggest(name, names)}")


def structures() -> tuple[Structure, ...]:
    """Every structure, in the order of the list."""
    return tuple(built_in().structures.values())


def views() -> tuple[View, ...]:
    """Every view, in the order of the list."""
    return tuple(built_in().views.values())


def views_with(name: str) -> tuple[View, ...]:
    """The views in which a structure is measured."""
    wanted = structure(name).name
    return tuple(v for v in views() if wanted in v.structures)


def role(name: str, feature: str) -> str | None:
    """What a column of the measurement table stands for in a phenotype, or None.

    One of ``"muscle_thickness"``, ``"muscle_echo"``, ``"muscle_csa"``, ``"nerve_csa"``, ``"fat"``.

    Examples
    --------
    >>> role("biceps", "thickness_mm")
    'muscle_thickness'
    >>> role("biceps", "perimeter_mm") is None
    True
    """
    return structure(name).roles.get(feature)


def _suggest(name: str, names: Mapping[str, str]) -> str:
    near = nearest(normalise(name), names)
    return f"; nearest: {', '.join(near)}" if near else ""
