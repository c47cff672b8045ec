"""What augmentation may do, as numbers: `Recipe`, written into every model card.

All were chosen by looking at training pictures, with one aim: a machine, a person or a probe that
training never saw should look like one of these.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Ranges and probabilities of augmentation. Depths are shares of the field's depth.

    Attributes
    ----------
    free_layout : float
        Probability that every layer gets a thickness of its own, whatever the picture had.
    filling : float
        Among those, probability that the muscle fills most of the field.
    above, muscle : (low, high)
        Thickness of the layers above band 1 and between the bands in a free layout.
    depth_stretch : (low, high)
        Factor on the whole depth otherwise; each layer gets 0.8-1.25 of it.
    tilt : float
        Largest added rise of an edge from the middle to a side.
    bend : float
        Largest added sag of an edge.
    width : (low, high)
        Share of the columns that are kept.
    bands : (low, high)
        Factor on the thickness of the bands.
    subcutis : float
        Probability of a painted fat layer with fascia lines of its own, where the layer above is deep enough.
    deep_lines, streaks : float
        Probability of bright lines below band 2, and of bright fascicles in the muscle.
    faint_band : float
        Probability that a stretch of a band loses contrast.
    layer_gain : (low, high)
        Grey factor of each layer of its own (log-uniform).
    gain_curve : float
        Spread (log) of a smooth gain over depth, and half of it over width.
    gamma : (low, high)
        Exponent on grey (log-uniform).
    level : (low, high)
        Mean grey, share of white (log-uniform): high ones saturate.
    speckle : (low, high)
        Spread of multiplicative speckle.
    blur : float
        Largest blur, rows.
    sharp : float
        Probability of edge enhancement.
    shadow, sector, overlay, crop : float
        Probabilities of a shadow, a sector or trapezoid field, drawn overlays and a misjudged field border.
    """

    free_layout: float = 0.55
    filling: float = 0.15
    above: Range = (0.01, 0.55)
    muscle: Range = (0.08, 0.75)
    depth_stretch: Range = (0.6, 1.7)
    tilt: float = 0.08
    bend: float = 0.03
    width: Range = (0.5, 1.0)
    bands: Range = (0.5, 2.5)
    subcutis: float = 0.4
    deep_lines: float = 0.5
    streaks: float = 0.35
    faint_band: float = 0.25
    layer_gain: Range = (0.5, 2.0)
    gain_curve: float = 0.5
    gamma: Range = (0.55, 1.8)
    level: Range = (0.05, 0.5)
    speckle: Range = (0.0, 0.4)
    blur: float = 1.6
    sharp: float = 0.25
    shadow: float = 0.2
    sector: float = 0.1
    overlay: float = 0.15
    crop: float = 0.3


WIDE = Recipe()
# Close to the pictures as they are: for a lab with many pictures of one machine.
NARROW = Recipe(
    free_layout=0.0,
    depth_stretch=(0.8, 1.3),
    subcutis=0.0,
    deep_lines=0.0,
    streaks=0.0,
    bands=(0.8, 1.25),
    layer_gain=(0.9, 1.1),
    gain_curve=0.2,
    level=(0.08, 0.35),
    sector=0.0,
)
RECIPES = {"wide": WIDE, "narrow": NARROW}
