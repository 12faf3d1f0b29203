"""Draws the picture of a grid: the accuracies of all variants."""

import itertools

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot
from matplotlib.lines import Line2D

# Figure: its label, its marker, and whether the marker is filled.
FIGURES = {
    "metrics.average_incremental_accuracy": ("average incremental accuracy", "o", True),
    "metrics.last_accuracy": ("last accuracy", "D", False),
}
INCHES_PER_ROW = 0.24
LEGEND_COLUMNS = 4  # more names are wider than the picture


def draw_variants(path, variants) -> None:
    """Draws mean and range over the seeds into a PNG: a row per variant, a colour per loss.

    Each memory budget has its own panel: accuracies without exemplars are so much lower that they
    would hide differences between the others. Variants of the same method must be adjacent.
    """
    losses = list(dict.fromkeys(map(label_of, variants)))
    colors = {loss: pyplot.get_cmap("tab10")(number) for number, loss in enumerate(losses)}
    panels: dict[int, list] = {}
    for variant in variants:
        panels.setdefault(variant.params.memory, []).append(variant)
    heights = [INCHES_PER_ROW * (_rows(panel)[-1] + 1.6) for panel in panels.values()]
    figure, axes = pyplot.subplots(
        len(panels),
        figsize=(9, sum(heights) + 0.7 * len(panels) + 0.7),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for one, (memory, panel) in zip(axes.flat, panels.items(), strict=True):
        _draw_panel(one, panel, colors)
        one.set_title(f"{memory} exemplars" if memory else "no exemplars", fontsize=10)
    axes.flat[-1].set_xlabel("accuracy in percent: mean and range over the seeds")
    _add_legends(figure, colors)
    # Otherwise Matplotlib writes its version into the file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def label_of(variant) -> str:
    """Names the loss, and the correction where it is neither `default` nor `none`."""
    loss, correction = variant.params.method.loss, variant.params.method.correction
    return loss if correction in ("default", "none") else f"{loss}, {correction}"


def _rows(variants) -> list[float]:
    """Returns the position of each variant's row, with a gap between methods."""
    rows = [0.0]
    for before, after in itertools.pairwise(variants):
        same = before.params.method.name == after.params.method.name
        rows.append(rows[-1] + (1 if same else 1.5))
    return rows


def _draw_panel(axes, variants, colors) -> None:
    rows = _rows(variants)
    for row, variant in zip(rows, variants, strict=True):
        color = colors[label_of(variant)]
        axes.axhline(row, color="0.93", zorder=0)
        for name, (_, marker, filled) in FIGURES.items():
            values = [100 * value for value in variant.values(name)]
            axes.plot([min(values), max(values)], [row, row], color=color, linewidth=1.5)
            face = color if filled else "white"
            mean = sum(values) / len(values)
            axes.plot(mean, row, marker, color=color, markerfacecolor=face, markersize=6)
    axes.set_yticks(rows, [variant.name for variant in variants])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(rows[-1] + 0.8, -0.8)
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _add_legends(figure, colors) -> None:
    """Explains the colours above the panels and the markers below them."""

    def sample(marker, color, face, label):
        style = {"color": color, "markerfacecolor": face, "label": label}
        return Line2D([], [], marker=marker, linestyle="", **style)

    losses = [sample("s", color, color, loss) for loss, color in colors.items()]
    markers = [
        sample(marker, "0.3", "0.3" if filled else "white", label)
        for label, marker, filled in FIGURES.values()
    ]
    for place, samples in (("upper", losses), ("lower", markers)):
        where = f"outside {place} center"
        columns = min(len(samples), LEGEND_COLUMNS)
        figure.legend(handles=samples, loc=where, ncols=columns, frameon=False)
