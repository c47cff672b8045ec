"""What people's decisions come to, from their parents alone.

Within one (target, reader, arm) a decision that no other there names as a parent is a *head*. What
stands is what the heads say; an undo stands for whatever the undone decision had replaced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from usimg.study.decisions import OUTLINE_KINDS, Decision, Target


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader's decisions about one target come to.

    Attributes
    ----------
    heads : tuple of str
        What the next decision of this reader names as parents.
    standing : tuple of str
        Ids of decisions, or of automatic outlines after an undo. More than one is a conflict.
    author : str
        Of the heads.
    saw_automatic : bool
        Whether it goes back to an automatic outline of this target.
    """

    target: Target
    reader: str
    arm: str
    heads: tuple[str, ...]
    standing: tuple[str, ...]
    author: str
    saw_automatic: bool


class History:
    """Decisions by id, grouped by what they are about."""

    def __init__(self, decisions: Mapping[str, Decision]) -> None:
        self.decisions = decisions
        self._groups: dict[tuple[str, Target, str, str], list[Decision]] = defaultdict(list)
        for decision in decisions.values():
            group = (self._track(decision), decision.target, decision.reader, decision.arm)
            self._groups[group].append(decision)

    def readings(self) -> list[Reading]:
        """Which outline each reader left standing on each target."""
        return [
            self._reading(key[1], key[2], key[3], group)
            for key, group in self._groups.items()
            if key[0] == "outline"
        ]

    def others(self) -> list[Decision]:
        """What stands of every other kind (label, calibrate, grade, not_done, sign, choose)."""
        found: dict[str, Decision] = {}
        for (track, *_), group in self._groups.items():
            if track != "outline":
                standing = {item for head in _heads(group) for item in self._left_by(head)}
                found |= {item: self.decisions[item] for item in standing if item in self.decisions}
        return [found[item] for item in sorted(found)]

    def _reading(self, target: Target, reader: str, arm: str, group: list[Decision]) -> Reading:
        heads = _heads(group)
        # Two heads that say the same, as accepting one outline twice, agree.
        standing = {self._meaning(item): item for head in heads for item in self._left_by(head)}
        return Reading(
            target,
            reader,
            arm,
            heads=tuple(head.id for head in heads),
            standing=tuple(sorted(standing.values())),
            author=", ".join(sorted({head.author for head in heads})),
            saw_automatic=any(self._saw_automatic(decision) for decision in group),
        )

    def _track(self, decision: Decision) -> str:
        """Decisions of one track compete: all that say which outline holds, or those of one kind."""
        seen: set[str] = set()
        while decision.kind == "undo" and decision.id not in seen:
            seen.add(decision.id)
            undone = self.decisions.get(str(decision.content["undoes"]))
            if undone is None:
                return "outline"
            decision = undone
        return "outline" if decision.kind in OUTLINE_KINDS else decision.kind

    def _left_by(self, decision: Decision) -> set[str]:
        """What a decision leaves in force: itself, or what the decision it undoes had replaced.

        Ids are hashes of content that holds the parents' ids, so no chain of parents is a circle.
        """
        left: set[str] = set()
        waiting = [decision.id]
        seen: set[str] = set()
        while waiting:
            item = waiting.pop()
            known = self.decisions.get(item)
            if known is None or known.kind != "undo":
                left.add(item)
            elif item not in seen:
                seen.add(item)
                undone = self.decisions.get(str(known.content["undoes"]))
                waiting.extend(undone.parents if undone is not None else ())
        return left

    def _saw_automatic(self, decision: Decision) -> bool:
        waiting = [decision.id]
        seen: set[str] = set()
        while waiting:
            item = waiting.pop()
            known = self.decisions.get(item)
            if known is None:
                return True
            if item not in seen:
                seen.add(item)
                waiting.extend(known.parents)
        return False

    def _meaning(self, item: str) -> str:
        decision = self.decisions.get(item)
        if decision is None:
            return f"automatic {item}"
        return f"accept {decision.content['outline']}" if decision.kind == "accept" else item


def _heads(group: list[Decision]) -> list[Decision]:
    named = {parent for decision in group for parent in decision.parents}
    return sorted((d for d in group if d.id not in named), key=lambda d: d.id)
