"""A picture with its truth: layers, sections, labels, all in pixels of the whole frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from usimg.simulate.acoustics import Scanner, compress, envelope
from usimg.simulate.field import Display, Field, scan_convert
from usimg.simulate.noise import smooth_noise
from usimg.simulate.sections import Oval
from usimg.simulate.stage import Stage
from usimg.simulate.tissue import Curve

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Truth of one layer: fat, a muscle compartment, or several muscles as one.

    Attributes
    ----------
    structure : str
        Name of the anatomy list.
    upper, lower : (N, 2) float arrays
        Inner edges (row, col) at every column shown: the geometric border of the fascia band towards
        the layer, or the near surface of the cortex.
    thickness_mm : float
        Mean vertical distance over those columns.
    thickness_centre_mm : float
        Vertical distance in the column half-way between them.
    echo_intensity : float
        Mean grey level of the pixel centres between the edges.
    level_db : float or None
        Ground level the layer was painted with, dB below white before attenuation; None for several.
    on_bone : bool
        Whether ``lower`` is a cortex somewhere.
    """

    structure: str
    upper: FloatArray
    lower: FloatArray
    thickness_mm: float
    thickness_centre_mm: float
    echo_intensity: float
    level_db: float | None
    on_bone: bool = False

    @property
    def polygon(self) -> FloatArray:
        """(2N, 2) closed outline: the upper edge left to right, the lower one back."""
        return np.concatenate([self.upper, self.lower[::-1]])


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """Truth of one structure cut across: a nerve with its two rims, or a vessel's lumen.

    Attributes
    ----------
    structure, site : str
        Names of the anatomy list.
    outside_rim, inside_rim : (N, 2) float arrays
        Contours (row, col). A vessel's are both its lumen.
    outside_mm2, inside_mm2 : float
        Areas in closed form.
    echo_intensity : float
        Mean grey level of the pixel centres inside ``inside_rim``.
    """

    structure: str
    site: str
    outside_rim: FloatArray
    inside_rim: FloatArray
    outside_mm2: float
    inside_mm2: float
    echo_intensity: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """(r0, c0, r1, c1) around the outside rim."""
        low, high = self.outside_rim.min(axis=0), self.outside_rim.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """A synthetic B-mode frame and everything true about it.

    Attributes
    ----------
    image : (rows, cols) uint8 array
        Grey levels; 0 outside the field unless screen furniture was drawn.
    spacing : tuple of float
        (row_mm, col_mm).
    scan_area : (rows, cols) bool array
        Where tissue is shown.
    view, plane, site : str
        Names of the anatomy list.
    layers, sections : tuple
        Truth, top to bottom.
    labels : (rows, cols) uint8 array
        0 background, k for the k-th of ``label_names``.
    label_names : tuple of str
    field, display, scanner
        How it was made.
    severity : float
        0 healthy .. 1 severely denervated.
    """

    image: NDArray[np.uint8]
    spacing: tuple[float, float]
    scan_area: BoolArray
    view: str
    plane: str
    layers: tuple[Layer, ...]
    sections: tuple[Section, ...]
    labels: NDArray[np.uint8]
    label_names: tuple[str, ...]
    field: Field
    display: Display
    scanner: Scanner
    severity: float = 0.0
    site: str = ""

    def layer(self, structure: str) -> Layer:
        """The layer of that name; raises KeyError."""
        for layer in self.layers:
            if layer.structure == structure:
                return layer
        raise KeyError(structure)


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer as a scene states it: borders in mm.

    ``combined`` ones span layers of their own and get no label in the picture of labels.
    """

    structure: str
    upper: Curve
    lower: Curve
    level_db: float | None = None
    on_bone: bool = False
    combined: bool = False


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """A nerve or vessel as a scene states it."""

    structure: str
    site: str
    outer: Oval
    inner: Oval


def develop(
    stage: Stage,
    view: str,
    plane: str,
    *,
    site: str = "",
    layers: Sequence[LayerPlan] = (),
    sections: Sequence[SectionPlan] = (),
) -> Phantom:
    """Insonify a painted canvas, show it, and write down the truth."""
    canvas, field, display, scanner, rng = (
        stage.canvas,
        stage.field,
        stage.display,
        stage.scanner,
        stage.rng,
    )
    samples, lines = canvas.level_db.shape
    # Gel and hair let some beams through better than others.
    line = np.arange(lines, dtype=np.float64)[None, :] / lines * field.width_mm
    canvas.level_db += 0.7 * smooth_noise(rng, line, 0.0 * line, 3.0, 1.0)
    line_mm = np.broadcast_to(canvas.step[1][:, 0], (samples,))
    amplitude = envelope(canvas.echoes(), canvas.step[0], line_mm, scanner, rng)
    picture, area = scan_convert(compress(amplitude, scanner), field, display)
    image = np.rint(picture).astype(np.uint8)
    x, z = display.grid_mm()

    labels = np.zeros(display.shape, np.uint8)
    names: list[str] = []
    true_layers: list[Layer] = []
    for plan in layers:
        inside = np.asarray(area & (z > plan.upper(x)) & (z < plan.lower(x)))
        if not plan.combined:
            names.append(plan.structure)
            labels[inside] = len(names)
        truth = _layer_truth(plan, display, area, image, inside)
        if truth is not None:
            true_layers.append(truth)
    true_sections: list[Section] = []
    for cut in sections:
        inside = area & (cut.inner.ratio(x, z)[0] < 1.0)
        names.append(cut.structure)
        labels[inside] = len(names)
        true_sections.append(
            Section(
                cut.structure,
                cut.site,
                display.to_pixels(*cut.outer.contour()),
                display.to_pixels(*cut.inner.contour()),
                cut.outer.area_mm2,
                cut.inner.area_mm2,
                float(image[inside].mean()),
            )
        )
    return Phantom(
        image=image,
        spacing=display.spacing,
        scan_area=area,
        view=view,
        plane=plane,
        site=site,
        layers=tuple(true_layers),
        sections=tuple(true_sections),
        labels=labels,
        label_names=tuple(names),
        field=field,
        display=display,
        scanner=scanner,
        severity=stage.person.severity,
    )


def _layer_truth(
    plan: LayerPlan, display: Display, area: BoolArray, image: NDArray[np.uint8], inside: BoolArray
) -> Layer | None:
    """What the picture shows of a layer; None where both its borders are nowhere in the field."""
    cols = np.arange(display.box[1], display.box[3], dtype=np.float64)
    x = (cols - display.middle) * display.spacing[1]
    top, bottom = plan.upper(x), plan.lower(x)
    seen = np.ones(len(cols), dtype=bool)
    for z in (top, bottom):
        rows = np.rint(display.top + z / display.spacing[0]).astype(int)
        within = (rows >= 0) & (rows < display.shape[0])
        seen &= within & area[np.clip(rows, 0, display.shape[0] - 1), cols.astype(int)]
    if not seen.any():
        return None
    cols, top, bottom = cols[seen], top[seen], bottom[seen]
    upper, lower = (np.stack([display.top + z / display.spacing[0], cols], axis=1) for z in (top, bottom))
    return Layer(
        structure=plan.structure,
        upper=upper,
        lower=lower,
        thickness_mm=float((bottom - top).mean()),
        thickness_centre_mm=float((bottom - top)[len(cols) // 2]),
        echo_intensity=float(image[inside].mean()),
        level_db=plan.level_db,
        on_bone=plan.on_bone,
    )
