"""What people decided a scan shows, and how large its pixels are, for those who measure it next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from usimg.errors import StudyRefused
from usimg.study.decisions import Decision, Target
from usimg.study.manifest import Label, label_of
from usimg.study.private import short
from usimg.study.rulings import unreplaced

# Where the picture is stands in the decision's target, its scale in a decision of its own.
_NOT_SAID = ("frame", "region", "spacing", "scale_source", "source")
FIELDS = tuple(f.name for f in fields(Label) if f.name not in _NOT_SAID)
_PLAIN = Label()


@dataclass(frozen=True)
class Decided:
    """What stands of labels and scales.

    Attributes
    ----------
    labels : dict
        Scan to one (target, fields of its `Label`) a picture.
    scales : dict
        (scan, region or None) to (row_mm, col_mm).
    problems : list of str
        People who disagree; neither is taken.
    """

    labels: dict[str, list[tuple[Target, dict[str, Any]]]] = field(default_factory=dict)
    scales: dict[tuple[str, int | None], tuple[float, float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything was decided."""
        return bool(self.labels or self.scales)

    def over(self, scan: str, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        """Labels of a scan with what people decided laid over them.

        Parameters
        ----------
        scan : str
            SHA-256.
        labels : tuple of Label
            What holds otherwise; what a person left open stays as it is there.
        """
        said = self.labels.get(scan, ())
        if said:
            labels = tuple(_laid_over(target, given, labels) for target, given in said)
        return tuple(self._scaled(scan, label) for label in labels)

    def scale(self, scan: str, region: int | None) -> tuple[float, float] | None:
        """(row_mm, col_mm) that a person gave a picture; that of its region stands before its file's."""
        return self.scales.get((scan, region)) or self.scales.get((scan, None))

    def _scaled(self, scan: str, label: Label) -> Label:
        spacing = self.scale(scan, label.region)
        return label if spacing is None else replace(label, spacing=spacing, scale_source="person")


def checked(label: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a label that say something, by the names of the anatomy list.

    Raises
    ------
    StudyRefused
        A field or value that a label cannot have, or nothing is said.
    """
    unknown = sorted(set(label) - set(FIELDS))
    if unknown:
        raise StudyRefused(f"a label has no {', '.join(unknown)}; it may have {', '.join(FIELDS)}")
    texts = {name: _text(value) for name, value in label.items() if value is not None}
    read = label_of(texts, "label")
    said = {name: getattr(read, name) for name in FIELDS if getattr(read, name) != getattr(_PLAIN, name)}
    if not said:
        raise StudyRefused("this label says nothing")
    return said


def decided(others: Iterable[Decision]) -> Decided:
    """What stands of labels and scales among decisions beside outlines (`Fold.others`)."""
    listed = list(others)
    problems: list[str] = []
    labels: dict[str, list[tuple[Target, dict[str, Any]]]] = defaultdict(list)
    for target, decision in _settled(listed, "label", problems).items():
        labels[target.scan].append((target, dict(decision.content["label"])))
    scales = {
        (target.scan, target.region): (float(one.content["row_mm"]), float(one.content["col_mm"]))
        for target, one in _settled(listed, "calibrate", problems).items()
    }
    return Decided(dict(labels), scales, problems)


def _settled(others: list[Decision], kind: str, problems: list[str]) -> dict[Target, Decision]:
    """The one decision of this kind that stands on each target."""
    on: dict[Target, dict[str, Decision]] = defaultdict(dict)
    for decision in unreplaced(decision for decision in others if decision.kind == kind):
        on[decision.target][repr(sorted(decision.content.items(), key=str))] = decision
    for target, different in on.items():
        if len(different) > 1:
            who = " and ".join(sorted({decision.author for decision in different.values()}))
            said = {"label": "label", "calibrate": "scale"}[kind]
            problems.append(
                f"scan {short(target.scan)}: {who} gave it two different {said}s; neither is taken until one"
                f" of them decides again"
            )
    return {target: next(iter(one.values())) for target, one in sorted(on.items(), key=str) if len(one) == 1}


def _laid_over(target: Target, given: Mapping[str, Any], labels: tuple[Label, ...]) -> Label:
    base = next((label for label in labels if label.region == target.region), labels[0] if labels else _PLAIN)
    if given.get("view") or given.get("structure"):
        base = replace(base, view="", structure="", site="", plane="")
    return replace(base, **given, frame=target.frame, region=target.region, source="person")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
