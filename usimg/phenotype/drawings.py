"""Each figure of a clustering as a matplotlib figure; None where there is nothing to show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from usimg.phenotype.claim import SUBSAMPLES, subsamples
from usimg.phenotype.kmeans import kmeans
from usimg.phenotype.profile import profile as rows_of
from usimg.phenotype.silhouette import silhouettes
from usimg.phenotype.wording import readable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from usimg.phenotype.page import Beside
    from usimg.phenotype.result import Phenotypes

# Okabe-Ito: told apart by colour-blind people, and in grey print by their lightness.
PART_COLOURS = {
    2: ("#56B4E9", "#D55E00"),
    3: ("#56B4E9", "#E69F00", "#D55E00"),
    4: ("#56B4E9", "#009E73", "#E69F00", "#D55E00"),
    5: ("#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7"),
}
STATE_COLOURS = {
    "automatic": "#56B4E9",
    "accepted": "#009E73",
    "corrected": "#E69F00",
    "missing": "#999999",
}
# Drawn in these and replaced by the page's own variables, so that a figure follows dark mode and print.
INK, QUIET, RULE = "#1b1f24", "#59636e", "#d8dee4"
# A matrix of more patients than this is drawn as means over neighbours in severity.
MOST_ROWS = 300
SEVERITY = "severity (SD; thinner and brighter muscle to the right)"


def patient_map(result: Phenotypes) -> Figure:
    """Severity against the second component, one scale; rings are borderline patients."""
    X = result.standardised.to_numpy()
    left, spread, _ = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    first, second = X @ result.axis.to_numpy(), left[:, 1] * np.sqrt(len(X)) * spread[1] / spread[0]
    shares = spread**2 / (spread**2).sum()
    doubt = result.borderline.loc[result.standardised.index].to_numpy()
    figure, axes = _new(5.2, 4.0)
    axes.grid(visible=True)
    for rank, colour, word in _parts(result):
        own = _ranks(result) == rank
        size = _dot(len(X))
        axes.scatter(first[own & ~doubt], second[own & ~doubt], s=size, c=colour, linewidths=0, label=word)
        axes.scatter(first[own & doubt], second[own & doubt], s=size, facecolors="none", edgecolors=colour)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(f"{SEVERITY};\n{shares[0]:.0%} of the variance")
    axes.set_ylabel(f"second component (SD of severity); {shares[1]:.0%}")
    return figure


def severity_histogram(result: Phenotypes) -> Figure:
    """Patients per half SD of severity, parts stacked."""
    scores, ranks = result.severity.to_numpy(), result.ranks.to_numpy()
    width = 0.5
    edges = np.arange(np.floor(scores.min() / width), np.floor(scores.max() / width) + 2) * width
    figure, axes = _new(5.2, 4.0)
    axes.grid(visible=True, axis="y")
    base = np.zeros(len(edges) - 1)
    for rank, colour, _ in _parts(result):
        counts = np.histogram(scores[ranks == rank], edges)[0]
        axes.bar(edges[:-1], counts, width, bottom=base, align="edge", color=colour, edgecolor="white")
        base += counts
    axes.set_xlabel(SEVERITY)
    axes.set_ylabel("patients")
    return figure


def silhouette_bars(result: Phenotypes) -> Figure:
    """A line for each patient, by part, the widest on top."""
    ranks = _ranks(result)
    widths = silhouettes(result.standardised.to_numpy(), ranks)
    figure, axes = _new(5.2, 3.2)
    axes.grid(visible=True, axis="x")
    top = 0.0
    for rank, colour, _ in _parts(result):
        own = np.sort(widths[ranks == rank])[::-1]
        axes.fill_betweenx(
            np.r_[top, np.repeat(np.arange(1, len(own)) + top, 2), top + len(own)],
            0,
            np.repeat(own, 2),
            color=colour,
            linewidth=0,
        )
        axes.text(
            1.0,
            top + len(own) / 2,
            f"mean {own.mean():.2f}, n = {len(own)}",
            ha="right",
            va="center",
            color=INK,
        )
        top += len(own) * 1.0 + max(2.0, 0.02 * len(widths))
    axes.axvline(0, color=QUIET, linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlim(min(-0.2, float(widths.min())), 1.0)
    axes.set_yticks([])
    axes.set_xlabel("silhouette (no unit)")
    axes.set_ylabel("patients")
    return figure


def stability_map(result: Phenotypes) -> Figure:
    """Heat map: share of subsamples in which two patients fall together, in order of severity."""
    table = result.standardised.sort_index(key=lambda index: index.map(str))
    X = table.to_numpy()
    rng = np.random.default_rng([result.random_state, 23])
    runs = kmeans(X, subsamples(len(X), SUBSAMPLES, rng), result.n_parts, starts=4, rng=rng).parts
    order = np.argsort(X @ result.axis.to_numpy(), kind="stable")
    member = np.eye(result.n_parts)[runs[:, order]]  # (runs, n, parts)
    together = np.einsum("rik,rjk->ij", member, member, optimize=True) / SUBSAMPLES
    blocks = min(MOST_ROWS, len(X))
    at = (np.arange(len(X)) * blocks) // len(X)
    mean = np.eye(blocks)[at]
    mean = (mean / mean.sum(axis=0)).T
    figure, axes = _new(4.4, 3.6)
    shown = axes.imshow(mean @ together @ mean.T, cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([0, blocks - 1], ["least severe", "most severe"])
    axes.set_yticks([0, blocks - 1], ["least", "most"])
    bar = figure.colorbar(shown, ax=axes, shrink=0.85)
    bar.set_label("share of subsamples together")
    return figure


def sweep(result: Phenotypes) -> Figure | None:
    """Indices over k."""
    if result.evidence is None:
        return None
    rows = result.evidence.sweep
    figure, axes = _new(5.2, 3.2)
    axes.grid(visible=True)
    lines: Sequence[tuple[str, str, str]] = (
        ("silhouette", "#0072B2", "o"),
        ("prediction_strength", "#009E73", "s"),
        ("ari", "#D55E00", "^"),
    )
    for name, colour, marker in lines:
        points = [(row.k, getattr(row, name)) for row in rows if getattr(row, name) is not None]
        word = {"ari": "ARI of subsamples"}.get(name, name.replace("_", " "))
        axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=word)
    axes.axhline(0.8, color=QUIET, linewidth=0.8, linestyle=":")
    axes.set_xticks([row.k for row in rows])
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("number of parts k (silhouette and ARI do not exist for 1)")
    axes.legend(fontsize=8)
    return figure


def power_curve(result: Phenotypes) -> Figure | None:
    """Share of simulated cohorts in which groups so far apart would have been seen."""
    if result.evidence is None:
        return None
    power = result.evidence.power
    figure, axes = _new(5.2, 3.2)
    axes.grid(visible=True)
    axes.plot(list(power.seen), list(power.seen.values()), color="#0072B2", marker="o")
    axes.set_ylim(0, 1.05)
    axes.set_xlabel(f"distance of two groups on their axis (SD within a group), n = {power.n}")
    axes.set_ylabel("share seen")
    return figure


def profile(result: Phenotypes) -> Figure:
    """Hedges' g of the outer parts, feature by feature."""
    rows = rows_of(result)
    figure, axes = _new(7.2, 0.7 + 0.21 * len(rows))
    axes.grid(visible=True, axis="x")
    at = np.arange(len(rows))
    g = np.array([row.g for row in rows])
    low, high = np.array([row.g_interval for row in rows]).T
    axes.errorbar(g, at, xerr=[g - low, high - g], fmt="o", color="#0072B2", markersize=3.5, linewidth=1)
    axes.axvline(0, color=QUIET, linewidth=0.8)
    axes.set_yticks(at, [row.name for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("Hedges' g (SD), most severe less least severe part; positive: larger or brighter")
    return figure


def forest(beside: Beside) -> Figure | None:
    """Outcomes: effects in SD of the outcome beside odds ratios."""
    rows = beside.meanings
    if not rows:
        return None
    points, odds = [r for r in rows if not r.is_ratio], [r for r in rows if r.is_ratio]
    shown = [group for group in (points, odds) if group]
    figure = Figure(figsize=(7.2, 0.75 * len(shown) + 0.42 * len(rows)))
    panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=[len(group) for group in shown])
    for axes, group in zip(panels[:, 0], shown, strict=True):
        ratio = group is odds
        axes.grid(visible=True, axis="x")
        for offset, which, colour, word in (
            (-0.15, "part", "#D55E00", "upper against lower part"),
            (0.15, "severity", "#0072B2", "one SD of severity"),
        ):
            scale = np.array([1.0 if ratio else row.sd for row in group])
            e, low, high = (
                np.array([getattr(getattr(row, which), name) for row in group]) / scale
                for name in ("estimate", "low", "high")
            )
            at = np.arange(len(group)) + offset
            axes.errorbar(
                e, at, xerr=[e - low, high - e], fmt="o", color=colour, markersize=4, linewidth=1, label=word
            )
        axes.axvline(1.0 if ratio else 0.0, color=QUIET, linewidth=0.8)
        if ratio:
            axes.set_xscale("log")
        names = [f"{row.label.partition(' (')[0]}{'*' if row.cautions else ''}, n = {row.n}" for row in group]
        axes.set_yticks(range(len(group)), names)
        axes.set_ylim(len(group) - 0.5, -0.5)
        axes.set_xlabel("odds ratio of a higher value" if ratio else "difference in SD of the outcome")
    panels[0, 0].legend(fontsize=8, loc="best")
    return figure


def handled(beside: Beside) -> Figure | None:
    """Shares of automatic, accepted, corrected and missing values by third of severity."""
    found = beside.corrections
    if found is None or not found.trends:
        return None
    figure, axes = _new(5.2, 3.0)
    base = np.zeros(3)
    for state, colour in STATE_COLOURS.items():
        shares = np.mean([feature.shares[state] for feature in found.features], axis=0)
        axes.bar(range(3), shares, 0.7, bottom=base, color=colour, edgecolor="white", label=state)
        base += shares
    words = ("least severe", "middle", "most severe")
    axes.set_xticks(range(3), [f"{word} third\nn = {n}" for word, n in zip(words, found.n, strict=True)])
    axes.set_ylabel("share of the values")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def specification_curve(beside: Beside) -> Figure | None:
    """Shows p and agreement of every specification over the choices that made it."""
    runs = [run for run in beside.curve.runs if not run.why] if beside.curve is not None else []
    if not runs:
        return None
    choices = {key: list(dict.fromkeys(run.choices[key] for run in runs)) for key in runs[0].choices}
    rows = [(key, value) for key, values in choices.items() if len(values) > 1 for value in values]
    figure = Figure(figsize=(7.4, 3.0 + 0.19 * len(rows)))
    heights = [1.3, 1.0, max(0.2 * len(rows), 0.3)]
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=heights)
    x = np.arange(len(runs))
    p = np.array([np.nan if run.p_value is None else run.p_value for run in runs])
    claims = list(dict.fromkeys(run.claim for run in runs))
    for claim, colour in zip(
        claims, ("#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7", INK), strict=False
    ):
        own = np.array([run.claim == claim for run in runs])
        upper.scatter(x[own], np.maximum(p[own], 1e-3), s=16, c=colour, label=claim)
    upper.set_yscale("log")
    upper.axhline(0.05, color=QUIET, linewidth=0.8, linestyle=":")
    upper.set_ylabel("p")
    upper.legend(fontsize=7, loc="best")
    middle.scatter(x, [run.agreement for run in runs], s=12, c=QUIET)
    middle.set_ylim(-0.05, 1.05)
    middle.set_ylabel("ARI with\nmain parts")
    for at, (key, value) in enumerate(rows):
        at_runs = [i for i, run in enumerate(runs) if run.choices[key] == value]
        lower.scatter(at_runs, [at] * len(at_runs), s=10, c=INK)
    lower.set_yticks(range(len(rows)), [f"{key}: {value}" for key, value in rows], fontsize=8)
    lower.set_ylim(len(rows) - 0.5, -0.5)
    lower.set_xticks([])
    lower.set_xlabel(f"{len(runs)} specifications, by p of the separation")
    for axes in (upper, middle, lower):
        axes.grid(visible=True, axis="y")
    return figure


def changes(beside: Beside) -> Figure | None:
    """Every patient's slope with its interval, from the steepest fall."""
    if beside.change is None:
        return None
    table = beside.change.table.sort_values("change_per_month")
    slopes = table[["low", "change_per_month", "high"]].to_numpy(dtype=np.float64)
    figure, axes = _new(5.2, 3.4)
    axes.grid(visible=True, axis="x")
    colours = {"falls": "#D55E00", "rises": "#0072B2"}
    for at, ((low, slope, high), says) in enumerate(zip(slopes, table["says"], strict=True)):
        colour = colours.get(str(says), "#999999")
        axes.plot([low, high], [at, at], color=colour, linewidth=1)
        axes.plot([slope], [at], "o", color=colour, markersize=2.5)
    axes.axvline(0, color=QUIET, linewidth=0.8)
    axes.set_yticks([])
    axes.set_ylabel(f"{len(table)} patients")
    axes.set_xlabel(f"{readable(beside.change.measure)}, change a month")
    return figure


def flow_chart(beside: Beside) -> Figure | None:
    """Boxes from all patients down to those in the clustering, with those who left at the side."""
    if not beside.flow:
        return None
    steps = beside.flow
    figure, axes = _new(6.2, 0.55 + 0.62 * len(steps))
    axes.axis("off")
    axes.set_xlim(0, 10)
    axes.set_ylim(-len(steps) + 0.4, 0.6)
    box = {"boxstyle": "round,pad=0.35", "facecolor": "none", "edgecolor": QUIET}
    first = steps[0]
    axes.text(2.2, 0, f"{first.what}\nn = {first.left}", ha="center", va="center", bbox=box, color=INK)
    for at, step in enumerate(steps[1:], 1):
        axes.annotate(
            "", (2.2, -at + 0.27), (2.2, -at + 0.73), arrowprops={"arrowstyle": "->", "color": QUIET}
        )
        axes.text(2.2, -at, f"n = {step.left}", ha="center", va="center", bbox=box, color=INK)
        axes.annotate("", (4.0, -at + 0.5), (2.2, -at + 0.5), arrowprops={"arrowstyle": "->", "color": QUIET})
        axes.text(4.1, -at + 0.5, f"{step.gone}: {step.what}", ha="left", va="center", color=INK, wrap=True)
    return figure


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots()


def _parts(result: Phenotypes) -> list[tuple[int, str, str]]:
    words = result.part_words
    return list(zip(range(len(words)), PART_COLOURS[result.n_parts], words, strict=True))


def _ranks(result: Phenotypes) -> np.ndarray[Any, np.dtype[np.int_]]:
    """Of the patients who were clustered."""
    return np.asarray(result.ranks.loc[result.standardised.index], dtype=np.int_)


def _dot(n: int) -> float:
    return 14.0 if n < 600 else 6.0
