"""Nerves at boxes and clicks against expert masks: the shipped network beside what needs no network.

python benchmarks/nerves.py ../shared/data/nerve_vessel [--split test] [--draws 3] [--page worst.html]

Every outline goes through `usimg.segment`. Boxes are the expert's, each side moved by N(0, 5 %) of its
length; clicks are centroids moved by N(0, 5 %) of the box; a second point lies anywhere on the border, missed
by N(0, 5 %) of its distance from the middle. Most of the Dice is the box's, so beside the network stand the
ellipse that fills 92 % of the box without looking at the picture, the same network shown a blank picture, and
the classical contour. "exact": the box of the mask itself. Only whole parts of at least 150 px. Time is this
process's on the processor, whoever shares the core. The page shows the 20 worst boxes.
"""

from __future__ import annotations

import argparse
import base64
import csv
import html
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.stats import beta
from skimage.draw import polygon2mask
from skimage.measure import label, regionprops

import usimg
from usimg.outline.nerve_model import NerveNetwork, shipped
from usimg.outline.prompted import NerveSegmenter
from usimg.outline.rims import ellipse_polygon

LEAST_AREA = 150
JITTER = 0.05
RIGHT = 0.15
VALUES = {"nerve": 1, "vessel": 2}
Array = NDArray[np.float64]
Box = tuple[float, float, float, float]


class Blanked(NerveNetwork):
    """The network with its picture taken away: what it knows of nerves in boxes in general."""

    def logits(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """What is said of boxes and clicks alone."""
        blank = np.array(pictures)
        blank[:, 0] = 0.0
        return super().logits(blank)


@dataclass(frozen=True, eq=False)
class Part:
    """One expert outline."""

    group: str
    frame: usimg.Frame
    truth: NDArray[np.bool_]
    box: Box
    centre: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Score:
    """One outline against its part."""

    part: Part
    polygons: tuple[Array, ...]
    dice: float
    error: float
    confidence: float
    seconds: float


def parts(home: Path, split: str, structure: str) -> list[Part]:
    found = []
    for row in csv.DictReader((home / "manifest.csv").read_text("utf-8").splitlines()):
        if row["usable"] != "yes" or row["split"] != split:
            continue
        numbered = label(np.asarray(Image.open(home / row["mask"])) == VALUES[structure])
        frame = usimg.read(home / row["file"]).frames[0]
        for part in regionprops(numbered):
            r0, c0, r1, c1 = part.bbox
            whole = r0 > 0 and c0 > 0 and r1 < numbered.shape[0] and c1 < numbered.shape[1]
            if part.area >= LEAST_AREA and whole:
                box = (r0 - 0.5, c0 - 0.5, r1 - 0.5, c1 - 0.5)
                found.append(Part(row["group"], frame, numbered == part.label, box, part.centroid))
    return found


def scored(part: Part, polygons: tuple[Array, ...], confidence: float, seconds: float) -> Score:
    if not polygons:
        return Score(part, (), 0.0, -1.0, confidence, seconds)
    mine = np.any([polygon2mask(part.truth.shape, polygon) for polygon in polygons], axis=0)
    dice = 2 * float((mine & part.truth).sum()) / float(mine.sum() + part.truth.sum())
    return Score(part, polygons, dice, float(mine.sum() / part.truth.sum() - 1), confidence, seconds)


def asked(structure: str, segmenter: object, **prompt: object) -> Callable[[Part], Score]:
    def run(part: Part) -> Score:
        began = time.process_time()
        (roi,) = usimg.segment(part.frame, structure, plane="transverse", segmenter=segmenter, **prompt)
        return scored(part, roi.polygons, roi.confidence, time.process_time() - began)

    return run


def moved(part: Part, rng: np.random.Generator) -> tuple[Box, tuple[float, float]]:
    """A clumsy box and click."""
    high, wide = part.box[2] - part.box[0], part.box[3] - part.box[1]
    box = np.array(part.box) + rng.normal(0, JITTER, 4) * [high, wide, high, wide]
    click = np.array(part.centre) + rng.normal(0, JITTER, 2) * [high, wide]
    return tuple(box.tolist()), tuple(click.tolist())


def on_border(part: Part, rng: np.random.Generator) -> tuple[float, float]:
    """A point somewhere on the border, clumsily."""
    border = np.argwhere(part.truth & ~_eroded(part.truth))
    away = border[rng.integers(len(border))] - np.array(part.centre)
    edge = np.array(part.centre) + away * (1 + rng.normal(0, JITTER))
    return tuple(edge.tolist())


def interval(scores: list[Score]) -> str:
    """95 % of the mean Dice over resampled groups: parts of one scan are not independent."""
    groups = sorted({s.part.group for s in scores})
    by = [[s.dice for s in scores if s.part.group == g] for g in groups]
    rng = np.random.default_rng(0)
    means = [
        np.mean(np.concatenate([by[k] for k in rng.integers(len(by), size=len(by))])) for _ in range(1000)
    ]
    return "{:.3f}-{:.3f}".format(*np.percentile(means, [2.5, 97.5]))


def line(name: str, scores: list[Score]) -> str:
    dice = np.array([s.dice for s in scores])
    error = np.array([s.error for s in scores])
    size = np.array([s.part.truth.sum() for s in scores])
    by_size = [dice[(size >= low) & (size < high)] for low, high in ((0, 3000), (3000, 7000), (7000, 1e9))]
    sizes = " ".join(f"{d.mean():.2f}" if len(d) else "-" for d in by_size)
    ms = 1000 * float(np.median([s.seconds for s in scores]))
    return (
        f"{name:26s} n {len(dice):3d}  Dice {dice.mean():.3f} ({interval(scores)}), p10"
        f" {np.percentile(dice, 10):.3f}; area |e| median {np.median(abs(error)):.1%} p90"
        f" {np.percentile(abs(error), 90):.1%} bias {error.mean():+.1%} (median {np.median(error):+.1%});"
        f" S M L {sizes}; {ms:.0f} ms"
    )


def reliability(name: str, scores: list[Score]) -> list[str]:
    """Said against happened: how often the area was right to 15 %."""
    lines = [f"{name}: area right to {RIGHT:.0%}, by confidence"]
    trust = np.array([s.confidence for s in scores])
    right = np.array([abs(s.error) <= RIGHT for s in scores])
    for low, high in ((0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.01), (0.5, 1.01)):
        here = (trust >= low) & (trust < high)
        n, k = int(here.sum()), int(right[here].sum())
        if n:
            least = beta.ppf(0.025, k, n - k + 1) if k else 0.0
            most = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
            said = trust[here].mean()
            lines.append(
                f"  {low:.1f}-{min(high, 1):.1f}: said {said:.2f}, was {k} of {n} ({least:.2f}-{most:.2f})"
            )
    return lines


def suggested(found: list[Part]) -> str:
    """What is found without a prompt; of nerves cut by the border, none of the parts, nothing is asked."""
    by_frame: dict[int, list[Part]] = {}
    for part in found:
        by_frame.setdefault(id(part.frame), []).append(part)
    right, false, dice, said, seconds = 0, 0, [], [], []
    for parts_of in by_frame.values():
        began = time.process_time()
        rois = usimg.segment(parts_of[0].frame, "nerve", plane="transverse")
        seconds.append(time.process_time() - began)
        left = list(parts_of)
        for roi in rois:
            said.append(roi.confidence)
            scores = [scored(part, roi.polygons, roi.confidence, 0.0) for part in left]
            best = max(scores, key=lambda s: s.dice, default=None)
            # Overlap over union above 0.3.
            if best is None or best.dice <= 0.6 / 1.3:
                false += 1
                continue
            right += 1
            dice.append(best.dice)
            left.remove(best.part)
    most = max(said, default=0.0)
    return (
        f"no prompt: {right} of {len(found)} nerves suggested, their Dice {np.mean(dice or [0]):.2f};"
        f" {false / len(by_frame):.2f} a picture were none; confidence at most {most:.2f};"
        f" {1000 * np.median(seconds):.0f} ms"
    )


def overlap(home: Path, split: str) -> str:
    """How much of a nerve's outline lies in that of a vessel of the same picture, both in exact boxes."""
    nerves, vessels = (parts(home, split, structure) for structure in VALUES)
    shares = []
    for nerve in nerves:
        others = [v for v in vessels if np.array_equal(v.frame.gray, nerve.frame.gray)]
        if not others:
            continue
        shape = nerve.truth.shape
        (roi,) = usimg.segment(nerve.frame, "nerve", plane="transverse", boxes=[nerve.box])
        rois = usimg.segment(nerve.frame, "vessel", plane="transverse", boxes=[v.box for v in others])
        mine = np.any([polygon2mask(shape, p) for p in roi.polygons], axis=0)
        theirs = np.any([polygon2mask(shape, p) for v in rois for p in v.polygons], axis=0)
        shares.append((mine & theirs).sum() / mine.sum())
    return (
        f"nerves beside vessels: {len(shares)}; share of the nerve in a vessel's outline: mean"
        f" {np.mean(shares):.2%}, most {np.max(shares):.1%}"
    )


def page(scores: list[Score], path: Path) -> None:
    """The 20 worst: expert blue, ours orange, in a window of twice the box."""
    tiles = []
    for score in sorted(scores, key=lambda s: s.dice)[:20]:
        r0, c0, r1, c1 = score.part.box
        reach = max(r1 - r0, c1 - c0)
        top, left = max(0, int((r0 + r1) / 2 - reach)), max(0, int((c0 + c1) / 2 - reach))
        gray = score.part.frame.gray[top : top + int(2 * reach), left : left + int(2 * reach)]
        zoom = 360 / max(gray.shape)
        size = (round(gray.shape[1] * zoom), round(gray.shape[0] * zoom))
        tile = Image.fromarray(gray).resize(size).convert("RGB")
        pen = ImageDraw.Draw(tile)
        edge = score.part.truth ^ _eroded(score.part.truth)
        for row, col in np.argwhere(edge):
            x, y = (col - left + 0.5) * zoom, (row - top + 0.5) * zoom
            pen.rectangle([x - zoom / 2, y - zoom / 2, x + zoom / 2, y + zoom / 2], fill=(86, 180, 233))
        for polygon in score.polygons:
            points = [((c - left + 0.5) * zoom, (r - top + 0.5) * zoom) for r, c in polygon]
            pen.line([*points, points[0]], fill=(230, 159, 0), width=2)
        content = io.BytesIO()
        tile.save(content, "PNG")
        said = f"Dice {score.dice:.2f}, area {score.error:+.0%}, confidence {score.confidence:.2f}"
        image = base64.b64encode(content.getvalue()).decode()
        tiles.append(
            f'<figure><img src="data:image/png;base64,{image}" alt="{said}">'
            f"<figcaption>{html.escape(said)}</figcaption></figure>"
        )
    style = "body{font-family:sans-serif}figure{display:inline-block;margin:6px}"
    path.write_text(
        f"<!doctype html><meta charset=utf-8><title>Worst nerves</title><style>{style}</style>"
        + "".join(tiles),
        "utf-8",
    )


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(mask, step, axis)
    return inner


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--split", default="test")
    ask.add_argument("--draws", type=int, default=3)
    ask.add_argument("--page", type=Path)
    args = ask.parse_args()
    model = shipped()
    blank = NerveSegmenter(Blanked(model.name, model.sha256, model.constants, model.onnx))
    for structure in VALUES:
        found = parts(args.data, args.split, structure)
        rng = np.random.default_rng(11)
        edges = np.random.default_rng(12)
        prompts = [
            (part, *moved(part, rng), on_border(part, edges)) for part in found for _ in range(args.draws)
        ]
        print(f"{args.split}: {len(found)} {structure}s in {len({p.group for p in found})} groups")
        rows: dict[str, list[Score]] = {
            "box: ellipse, no picture": [scored(p, (ellipse_polygon(b),), 0.0, 0.0) for p, b, _, _ in prompts]
        }
        for name, segmenter in (
            ("blank picture", blank),
            ("classical", "classical"),
            ("network", "nerve-network"),
        ):
            rows[f"box: {name}"] = [asked(structure, segmenter, boxes=[b])(p) for p, b, _, _ in prompts]
        rows["exact box: network"] = [asked(structure, "nerve-network", boxes=[p.box])(p) for p in found]
        if structure == "nerve":
            for name in ("classical", "nerve-network"):
                rows[f"click: {name}"] = [asked(structure, name, seeds=[s])(p) for p, _, s, _ in prompts]
                rows[f"points: {name}"] = [
                    asked(structure, name, seeds=[(s, e)])(p) for p, _, s, e in prompts
                ]
                rows[f"exact click: {name}"] = [asked(structure, name, seeds=[p.centre])(p) for p in found]
        for name, scores in rows.items():
            print(line(name, scores))
        print("\n".join(reliability("box: network", rows["box: network"])))
        if structure == "nerve":
            for name in ("click", "points"):
                print("\n".join(reliability(f"{name}: network", rows[f"{name}: nerve-network"])))
            print(suggested(found))
            print(overlap(args.data, args.split))
            if args.page:
                page([replace(s) for s in rows["box: network"]], args.page)


if __name__ == "__main__":
    main()
