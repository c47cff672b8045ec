"""Closed outlines of nerves and vessels from a box, and from a click.

Every place on the rays of a box gets a probability of being inside, from a logistic model of grey levels,
edges and place (``rims.toml``, fitted by ``benchmarks/fit_rims.py``); the contour is the closed path that
takes in the most of it. A click first gets a box: of many sizes the one whose looks promise most.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from usimg.outline.polar import (
    ANGLES,
    EXPONENT,
    RADII,
    RADIUS_STEP,
    RAYS,
    UNIT,
    PolarFrame,
    PolarImage,
    closed_path,
    sample,
    smooth_contour,
    superellipse_radius,
)
from usimg.outline.segmenter import Box
from usimg.vision import cv2

Array = NDArray[np.float64]

# Half heights (px) and width over height of the boxes a click tries: 5 to 95 % of nerve_vessel train.
CLICK_HALF_ROWS = tuple(float(h) for h in np.geomspace(14.0, 85.0, 8))
CLICK_ASPECTS = (1.0, 1.5, 2.2)
# Radius of the contour in the superellipse of its box: mean of nerve_vessel train.
ELLIPSE = 0.92
# How far (log) from that a box may be whose contour passes a second point: half a step of the heights.
EDGE_SPREAD = 0.15


@dataclass(frozen=True, eq=False)
class RimModel:
    """Weights of one kind of structure.

    Attributes
    ----------
    mean, scale, weight : (features,) arrays
        Logit of "inside": ``((features - mean) / scale) @ weight + intercept``.
    intercept : float
    click_mean, click_scale, click_weight : (click features,) arrays
        Expected Dice of a box's ellipse: the same form.
    click_intercept : float
    box_confidence, click_confidence : (intercept, slope) arrays
        Logistic model of "Dice at least 0.8" on the contour's clearness.
    """

    mean: Array
    scale: Array
    weight: Array
    intercept: float
    click_mean: Array
    click_scale: Array
    click_weight: Array
    click_intercept: float
    box_confidence: Array
    click_confidence: Array


@cache
def fitted(kind: str) -> RimModel:
    """The model of ``"nerve"`` or ``"vessel"`` that travels with the package."""
    table = tomllib.loads((files("usimg.outline") / "rims.toml").read_text("utf-8"))[kind]
    inside = np.array(table["inside"], dtype=np.float64)
    click = np.array(table["click"], dtype=np.float64)
    return RimModel(
        mean=inside[:, 0],
        scale=inside[:, 1],
        weight=inside[:, 2],
        intercept=float(table["inside_intercept"]),
        click_mean=click[:, 0],
        click_scale=click[:, 1],
        click_weight=click[:, 2],
        click_intercept=float(table["click_intercept"]),
        box_confidence=np.array(table["box_confidence"], dtype=np.float64),
        click_confidence=np.array(table["click_confidence"], dtype=np.float64),
    )


def inside_features(image: PolarImage, frame: PolarFrame) -> Array:
    """Numbers for every place on the rays, (RAYS, radii, features)."""
    fine, coarse = image.fine, image.coarse
    count = len(RADII)
    fine_slope = np.gradient(fine, axis=1) / RADIUS_STEP * 0.1
    coarse_slope = np.gradient(coarse, axis=1) / RADIUS_STEP * 0.2
    fall, rise = np.maximum(-fine_slope, 0.0), np.maximum(fine_slope, 0.0)
    seen = np.arange(1, count + 1)
    # Rays close upon themselves, radii do not.
    ring = np.pad(fine, ((2, 2), (0, 0)), mode="wrap")
    spread = (_mean5(ring**2) - _mean5(ring) ** 2)[2:-2]
    looks = [
        fine,
        coarse,
        fine_slope,
        coarse_slope,
        np.cumsum(fine, axis=1) / seen,
        np.cumsum(fine[:, ::-1], axis=1)[:, ::-1] / seen[::-1],
        np.maximum.accumulate(fall, axis=1),
        np.maximum.accumulate(fall[:, ::-1], axis=1)[:, ::-1],
        np.maximum.accumulate(rise, axis=1),
        np.maximum.accumulate(rise[:, ::-1], axis=1)[:, ::-1],
        np.sqrt(np.maximum(spread, 0.0)),
        np.abs(coarse - fine[:, :12].mean()),
        0.1 * np.cumsum(fall, axis=1),
    ]
    radius = np.broadcast_to(RADII, fine.shape)
    angle = np.broadcast_to(ANGLES[:, None], fine.shape)
    down, twice, fourfold = np.sin(angle), np.cos(2 * angle), np.cos(4 * angle)
    long = np.log(frame.half_rows / frame.half_cols)
    place = [radius, *(np.maximum(radius - knee, 0.0) for knee in (0.6, 0.75, 0.85, 0.95, 1.05, 1.15))]
    place += [twice, fourfold, down, np.sin(3 * angle), twice * radius, fourfold * radius, down * radius]
    place += [long * twice, long * fourfold]
    near_rim = np.exp(-(((radius - 0.92) / 0.15) ** 2))
    outside = np.maximum(radius - 1.0, 0.0)
    mixed = [look * near_rim for look in looks] + [look * outside for look in looks]
    mixed += [looks[k] * down for k in (0, 2, 6, 7)] + [looks[k] * twice for k in (0, 1, 2, 3, 6, 7)]
    return np.stack([*looks, *place, *mixed], axis=-1)


def _mean5(values: Array) -> Array:
    return np.asarray(ndimage.uniform_filter(values, 5, mode="nearest"), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Contour:
    """A closed contour in its frame.

    Attributes
    ----------
    frame : PolarFrame
    radius : (RAYS,) array
    clearness : float
        Mean over the rays of how much worse the contour would do 12 % further in or out; 0 is no evidence.
    """

    frame: PolarFrame
    radius: Array
    clearness: float

    @property
    def polygon(self) -> Array:
        """(RAYS, 2) contour, px."""
        return self.frame.polygon(self.radius)

    @property
    def box(self) -> Box:
        """Bounding box of the contour."""
        polygon = self.polygon
        (r0, c0), (r1, c1) = polygon.min(axis=0), polygon.max(axis=0)
        return (float(r0), float(c0), float(r1), float(c1))


def outside_rim(gray: NDArray[np.float32], box: Box, kind: str) -> Contour:
    """Contour of the structure in a box, as published masks are drawn: a nerve's rim is inside it."""
    model = fitted(kind)
    frame = PolarFrame.of_box(box)
    features = inside_features(sample(gray, frame), frame)
    logit = ((features - model.mean) / model.scale) @ model.weight + model.intercept
    return contour_of(logit, frame)


def contour_of(logit: Array, frame: PolarFrame) -> Contour:
    """Contour that takes in the most of a logit of "inside", (RAYS, radii)."""
    gain = ndimage.gaussian_filter1d(np.cumsum(logit, axis=1), 2.0, axis=0, mode="wrap")
    radius = closed_path(gain)
    at = np.clip((radius - RADII[0]) / RADIUS_STEP - 0.5, 0, len(RADII) - 1)
    reach = 0.12 / RADIUS_STEP
    rays = np.arange(RAYS)

    def value(position: Array) -> Array:
        low = np.clip(np.floor(position), 0, len(RADII) - 2).astype(np.intp)
        part = np.clip(position - low, 0.0, 1.0)
        return gain[rays, low] * (1 - part) + gain[rays, low + 1] * part

    worse = value(at) - 0.5 * (value(at - reach) + value(at + reach))
    return Contour(frame, radius, float(worse.mean()) * RADIUS_STEP)


def confidence_of(contour: Contour, kind: str, prompt: str) -> float:
    """Probability that the outline's Dice is at least 0.8."""
    model = fitted(kind)
    intercept, slope = model.box_confidence if prompt == "box" else model.click_confidence
    return float(1.0 / (1.0 + np.exp(-(intercept + slope * contour.clearness))))


def inside_rim(gray: NDArray[np.float32], contour: Contour) -> Array:
    """Contour along the inner shoulder of the bright rim of a nerve whose outer contour is known."""
    shoulder = inner_shoulder(gray, contour.frame, contour.radius)
    return contour.frame.polygon(smooth_contour(contour.radius * shoulder))


def inside_polygon(gray: NDArray[np.float32], outer: Array) -> Array:
    """The same for any outer contour, (N, 2): each vertex goes towards the middle of its box.

    Parts of a concave outline that a ray meets twice take the share of the outermost.
    """
    (r0, c0), (r1, c1) = outer.min(axis=0), outer.max(axis=0)
    frame = PolarFrame.of_box((float(r0), float(c0), float(r1), float(c1)))
    down, right = (outer[:, 0] - frame.row) / frame.half_rows, (outer[:, 1] - frame.col) / frame.half_cols
    angle = np.arctan2(down, right) % (2 * np.pi)
    unit = (np.abs(np.cos(angle)) ** EXPONENT + np.abs(np.sin(angle)) ** EXPONENT) ** (-1 / EXPONENT)
    radius = np.hypot(down, right) / unit
    # Outermost crossing of every ray; rays between vertices are filled in from their neighbours.
    ray = np.round(angle / (2 * np.pi) * RAYS).astype(np.intp) % RAYS
    outermost = np.zeros(RAYS)
    np.maximum.at(outermost, ray, radius)
    met = outermost > 0
    outermost = np.interp(ANGLES, ANGLES[met], outermost[met], period=2 * np.pi)
    shoulder = ndimage.gaussian_filter1d(inner_shoulder(gray, frame, outermost), 1.5, mode="wrap")
    share = np.interp(angle, ANGLES, shoulder, period=2 * np.pi)
    middle = np.array([frame.row, frame.col])
    return np.asarray(middle + share[:, None] * (outer - middle))


def inner_shoulder(gray: NDArray[np.float32], frame: PolarFrame, radius: Array) -> Array:
    """Where the rim's inner shoulder lies on every ray, (RAYS,) shares of the outer radius.

    On every ray the rim is the brightest place within a quarter of the radius inside the outer contour; its
    inner shoulder is the steepest rise on the way out to it.
    """
    share = np.linspace(0.70, 1.0, 31)  # of the outer radius
    rows, cols = frame.points(radius[:, None] * share)
    # Half a rim's width (2-3 px on nerve_vessel, see its README) keeps its shoulders apart.
    spread = max(0.6, 0.02 * frame.size)
    reach = int(4 * spread) + 2
    r0, c0 = max(0, int(rows.min()) - reach), max(0, int(cols.min()) - reach)
    crop = gray[r0 : max(r0, int(rows.max()) + reach) + 1, c0 : max(c0, int(cols.max()) + reach) + 1]
    smooth = cv2.GaussianBlur(crop, (0, 0), spread)
    profile = ndimage.map_coordinates(smooth, [rows - r0, cols - c0], order=1, mode="nearest")
    profile = ndimage.gaussian_filter1d(profile, 1.0, axis=0, mode="wrap")
    rise = np.gradient(profile, axis=1)
    # The shoulder belongs to the outermost rise: fascicles inside have borders too.
    gain = rise / (np.abs(rise).mean() + 1e-6) - 4.0 * (1.0 - share - 0.1) ** 2 / 0.04
    gain = ndimage.gaussian_filter1d(gain, 1.5, axis=0, mode="wrap")
    best = share[gain.argmax(axis=1)]
    return np.asarray(ndimage.median_filter(best, 9, mode="wrap"), np.float64)


def click_boxes(seed: tuple[float, float]) -> list[Box]:
    """Boxes of all tried sizes round a click."""
    row, col = seed
    return [
        (row - half, col - half * aspect, row + half, col + half * aspect)
        for half in CLICK_HALF_ROWS
        for aspect in CLICK_ASPECTS
    ]


def click_features(gray: NDArray[np.float32], box: Box, kind: str) -> Array:
    """Numbers that tell how well a box's ellipse fits what lies there, (features,)."""
    frame = PolarFrame.of_box(box)
    image = sample(gray, frame)
    model = fitted(kind)
    logit = ((inside_features(image, frame) - model.mean) / model.scale) @ model.weight + model.intercept
    contour = contour_of(logit, frame)
    ring = np.abs(RADII - 0.92).argmin()
    fall = -np.gradient(image.fine, axis=1) / RADIUS_STEP * 0.1
    at_ring = fall[:, ring - 3 : ring + 4].max(axis=1)
    inner, outer = image.fine[:, : ring - 2], image.fine[:, ring + 3 :]
    size, aspect = np.log(frame.half_rows), np.log(frame.half_cols / frame.half_rows)
    values = [
        size, size**2, aspect, aspect**2, size * aspect,
        contour.clearness, contour.radius.mean(), contour.radius.mean() ** 2, contour.radius.std(),
        at_ring.mean(), np.quantile(at_ring, 0.25), at_ring.std(),
        inner.mean() - outer.mean(), inner.std(), outer.std(), image.fine[:, ring].mean(),
        image.fine[:, ring].std(), inner[:, :8].mean(), inner[:, :8].std(),
        np.abs(logit).mean(), logit[:, :ring].mean(), logit[:, ring:].mean(),
    ]  # fmt: skip
    return np.array(values)


def at_click(
    gray: NDArray[np.float32],
    seed: tuple[float, float],
    kind: str,
    *,
    edge: tuple[float, float] | None = None,
) -> Contour:
    """Contour of the structure at a click, its size found by trying many.

    With a point of its border (``edge``) only boxes whose ellipse passes there are likely.
    """
    model = fitted(kind)
    boxes = click_boxes(seed)
    features = np.stack([click_features(gray, box, kind) for box in boxes])
    promise = ((features - model.click_mean) / model.click_scale) @ model.click_weight + model.click_intercept
    halves = np.array([((b[2] - b[0]) / 2, (b[3] - b[1]) / 2) for b in boxes])
    score = 20.0 * promise
    if edge is not None:
        reach = superellipse_radius((edge[0] - seed[0]) / halves[:, 0], (edge[1] - seed[1]) / halves[:, 1])
        score -= 0.5 * (np.log(reach / ELLIPSE) / EDGE_SPREAD) ** 2
    share = np.exp(score - score.max())
    share /= share.sum()
    half_rows, half_cols = np.exp(share @ np.log(halves))
    row, col = seed
    box = (row - half_rows, col - half_cols, row + half_rows, col + half_cols)
    return outside_rim(gray, box, kind)


def ellipse_polygon(box: Box, share: float = ELLIPSE) -> Array:
    """The superellipse that fills ``share`` of a box: what is drawn when the picture says nothing."""
    return PolarFrame.of_box(box).polygon(np.full(len(UNIT), share))
