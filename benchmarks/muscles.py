"""Muscle layers against expert aponeurosis bands, without a prompt, by segmenter and device.

python benchmarks/muscles.py ../shared/data/dltrack_apo [--split val] [--segmenter network classical]
    [--observers ../shared/data/timtrack_observers] [--worst worst.html]

Thickness between the inner edges of the first two bands, over the columns that both have; an outline that
overlaps the experts' compartment by less than half counts as 100 % wrong, and so does none. Accepted:
confidence of at least 0.5. Shares stand with Clopper-Pearson intervals. Dice and the 95th percentile of the
distances between the edges (Hausdorff) are of the compartment over the same columns; echo intensity is the
mean grey level between the edges there. Observers state the height at the left border of the field: a
straight line through a tenth of the width stands for the outline, and one observer is compared with the mean
of the others beside it. The figures for muscle in `usimg/outline/scope.toml` come from here; `muscles.md` is
what it printed last.
"""

from __future__ import annotations

import argparse
import base64
import csv
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

import usimg
from usimg.outline.field import panes
from usimg.train.dataset import band_edges
from usimg.train.figures import figures, relative_error, share, table
from usimg.vision import cv2

WORST = 20
BINS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
# Remarks of observers.csv that mark a slip of the hand, not a reading.
SLIPS = ("outlier", "swapped", "another")


@dataclass
class Outlined:
    """One picture: where the outline lies beside the expert's."""

    name: str
    group: str
    device: str
    error: float
    dice: float
    hausdorff_px: float
    echo: float
    confidence: float
    picture: np.ndarray


def compared(gray: np.ndarray, roi: usimg.Roi | None, bands: np.ndarray) -> tuple[float, float, float, float]:
    """(signed relative error of thickness, Dice, Hausdorff-95 in px, echo intensity minus the expert's)."""
    missed = (1.0, 0.0, np.nan, np.nan)
    if roi is None or roi.upper is None or roi.lower is None:
        return missed
    cols = np.arange(bands.shape[1])
    known = np.isfinite(bands).all(axis=0)
    shared = known & (cols >= roi.upper[0, 1]) & (cols <= roi.upper[-1, 1])
    if shared.sum() < 0.3 * known.sum():
        return missed
    upper, lower = (np.interp(cols[shared], edge[:, 1], edge[:, 0]) for edge in (roi.upper, roi.lower))
    error, dice = relative_error(upper, lower, bands[1, shared], bands[2, shared])
    apart = np.concatenate([np.abs(upper - bands[1, shared]), np.abs(lower - bands[2, shared])])
    row = np.arange(gray.shape[0])[:, None]
    under = gray[:, shared]
    ours = under[(row > upper) & (row < lower)].mean()
    theirs = under[(row > bands[1, shared]) & (row < bands[2, shared])].mean()
    return error, dice, float(np.percentile(apart, 95)), float(ours - theirs)


def drawn(gray: np.ndarray, roi: usimg.Roi | None, bands: np.ndarray) -> np.ndarray:
    """The picture with the expert's edges (blue) and the outline (orange), (rows, cols, 3)."""
    shown = np.ascontiguousarray(np.stack([gray] * 3, axis=-1))
    for edge in bands[1:3]:
        known = np.flatnonzero(np.isfinite(edge))
        points = np.column_stack([known, edge[known]]).astype(np.int32)
        cv2.polylines(shown, [points], isClosed=False, color=(86, 180, 233), thickness=2)
    for edge in (roi.upper, roi.lower) if roi is not None else ():
        if edge is not None:
            points = np.round(edge[:, ::-1]).astype(np.int32)
            cv2.polylines(shown, [points], isClosed=False, color=(230, 159, 0), thickness=2)
    return shown


def outlined(data: Path, split: str, segmenter: str) -> tuple[list[Outlined], float]:
    """All usable pictures of a split, and the median of the processor's milliseconds a picture."""
    found, seconds = [], []
    manifest = csv.DictReader((data / "manifest.csv").read_text("utf-8").splitlines())
    for row in manifest:
        if row["usable"] != "yes" or row["split"] != split:
            continue
        bands = band_edges(np.asarray(Image.open(data / row["mask"]).convert("L")) > 0)
        if bands is None:
            continue
        frame = usimg.read(data / row["file"]).frames[0]
        began = time.process_time()
        rois = usimg.segment(frame, "muscle", plane="longitudinal", segmenter=segmenter)
        seconds.append(time.process_time() - began)
        first = rois[0] if rois else None
        gray = np.asarray(frame.gray)
        numbers = compared(gray, first, bands)
        sure = first.confidence if first else 0.0
        picture = drawn(gray, first, bands)
        found.append(Outlined(row["file"], row["group"], row["device_group"], *numbers, sure, picture))
    return found, 1000 * float(np.median(seconds))


def show(found: list[Outlined]) -> None:
    """The tables of one segmenter."""
    sets: dict[str, list[Outlined]] = defaultdict(list)
    for one in found:
        for name in ("all", one.device):
            sets[name].append(one)
    rows = [
        figures(
            name,
            [one.error for one in sets[name]],
            [one.group for one in sets[name]],
            [one.confidence for one in sets[name]],
        )
        for name in sorted(sets)
    ]
    print(table(rows), "\n")
    print(
        "| pictures | Dice, median | Hausdorff-95, median, p90 | echo intensity: mean difference | limits |"
    )
    print("|---|---|---|---|---|")
    for name, some in (("all", found), ("accepted", [one for one in found if one.confidence >= 0.5])):
        right = [one for one in some if np.isfinite(one.echo)]
        if not right:
            continue
        echo = np.array([one.echo for one in right])
        far = np.array([one.hausdorff_px for one in right])
        low, high = echo.mean() - 1.96 * echo.std(ddof=1), echo.mean() + 1.96 * echo.std(ddof=1)
        print(
            f"| {name} ({len(some)}) | {np.median([one.dice for one in some]):.3f} |"
            f" {np.median(far):.1f} px, {np.percentile(far, 90):.1f} px |"
            f" {np.abs(echo).mean():.2f} (p90 {np.percentile(np.abs(echo), 90):.1f}) grey levels |"
            f" {low:+.1f} to {high:+.1f} |"
        )
    print("\n| confidence | pictures | right to 10 % |\n|---|---|---|")
    for low, high in itertools.pairwise(BINS):
        some = [one for one in found if low <= one.confidence < high or one.confidence == high == 1.0]
        right = share(sum(abs(one.error) <= 0.1 for one in some), len(some))
        print(f"| {low:.2f} to {high:.2f} | {len(some)} | {right} |")
    print()


def height_at_left(roi: usimg.Roi, box: tuple[int, int]) -> float:
    """Height of an outline at the left border of the field, px."""
    left, right = box
    at = []
    for edge in (roi.upper, roi.lower):
        near = edge[:, 1] <= left + 0.1 * (right - left)
        line = np.polyfit(*(edge[near] if near.sum() > 2 else edge).T[::-1], 1)
        at.append(np.polyval(line, left))
    return float(at[1] - at[0])


def observers(data: Path, segmenter: str) -> None:
    """The outline against the mean observer, and one observer against the others."""
    readings: dict[str, list[float]] = defaultdict(list)
    for row in csv.DictReader((data / "observers.csv").read_text("utf-8").splitlines()):
        if row["file"] and row["height_px"] and not any(slip in row["remark"].lower() for slip in SLIPS):
            readings[row["file"]].append(float(row["height_px"]))
    groups: dict[str, list[tuple[float, str, float]]] = defaultdict(list)
    between: dict[str, list[float]] = defaultdict(list)
    for row in csv.DictReader((data / "manifest.csv").read_text("utf-8").splitlines()):
        heights = readings.get(row["file"], [])
        if not heights:
            continue
        mirrored = "d4_" in row["file"]
        frame = usimg.read(data / row["file"]).frames[0]
        rois = usimg.segment(frame, "muscle", plane="longitudinal", segmenter=segmenter)
        error, sure = 1.0, 0.0
        if rois:
            box = panes(frame)[0].box
            roi, ends = rois[0], (box[1], box[3] - 1)
            if mirrored:
                roi, ends = (
                    turned(roi, frame.shape[1]),
                    (frame.shape[1] - box[3], frame.shape[1] - 1 - box[1]),
                )
            error, sure = height_at_left(roi, ends) / float(np.mean(heights)) - 1, roi.confidence
        for name in ("all", row["device_group"]):
            groups[name].append((error, row["group"], sure))
            between[name] += (
                [heights[k] / float(np.mean(heights[:k] + heights[k + 1 :])) - 1 for k in range(len(heights))]
                if len(heights) > 1
                else []
            )
    print(f"{segmenter} against three observers (timtrack_observers; nothing was chosen on it)\n")
    print(table([figures(name, *zip(*groups[name], strict=True)) for name in sorted(groups)]))
    print(
        "\n| one observer against the others | readings | median | p90 | over 10 % |\n|---|---|---|---|---|"
    )
    for name in sorted(between):
        size = np.abs(between[name])
        over = share(int((size > 0.1).sum()), len(size))
        print(f"| {name} | {len(size)} | {np.median(size):.1%} | {np.percentile(size, 90):.1%} | {over} |")
    print()


def turned(roi: usimg.Roi, width: int) -> usimg.Roi:
    """The outline in a mirror."""

    def flip(edge: np.ndarray) -> np.ndarray:
        return np.column_stack([edge[::-1, 0], width - 1 - edge[::-1, 1]])

    return replace(roi, upper=flip(roi.upper), lower=flip(roi.lower))


def page(found: list[Outlined], segmenter: str) -> str:
    """The worst pictures as one HTML page."""
    tiles = []
    for one in sorted(found, key=lambda one: -abs(one.error))[:WORST]:
        done, jpeg = cv2.imencode(".jpg", one.picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
        assert done
        source = base64.b64encode(jpeg.tobytes()).decode()
        text = f"{one.name} · {one.device} · {one.error:+.1%} · confidence {one.confidence:.2f}"
        tiles.append(
            f'<figure><img alt="" src="data:image/jpeg;base64,{source}">'
            f"<figcaption>{escape(text)}</figcaption></figure>"
        )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>Worst outlines, {escape(segmenter)}</title>"
        "<style>body{font:15px sans-serif;display:grid;gap:1rem;"
        "grid-template-columns:repeat(auto-fill,minmax(22rem,1fr))}"
        "h1,p{grid-column:1/-1;margin:0}img{width:100%}figure{margin:0}</style>"
        f"<h1>The {min(WORST, len(found))} worst outlines of {escape(segmenter)}</h1>"
        "<p>Blue: the expert's inner edges; orange: the outline.</p>" + "".join(tiles) + "</html>\n"
    )


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("data", type=Path)
    ask.add_argument("--split", default="val")
    ask.add_argument("--segmenter", nargs="+", default=["network", "classical"])
    ask.add_argument("--observers", type=Path, help="folder timtrack_observers")
    ask.add_argument("--worst", type=Path, help="page of the worst pictures of the first segmenter")
    args = ask.parse_args()
    for name in args.segmenter:
        found, milliseconds = outlined(args.data, args.split, name)
        print(f"{name}, {args.split}: {milliseconds:.0f} ms of one core a picture (median)\n")
        show(found)
        if args.observers is not None:
            observers(args.observers, name)
        if args.worst is not None and name == args.segmenter[0]:
            args.worst.write_text(page(found, name), encoding="utf-8")


if __name__ == "__main__":
    main()
