"""Geometry of line and bar charts, which a template draws as SVG."""

import math
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 42


@dataclass(frozen=True)
class Series:
    """One line, or the bars of one colour; if not `drawn`, only the tooltip shows its values.

    There is a value for each position of the chart, `None` where undefined.
    """

    name: str
    values: list
    drawn: bool = True


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        title: with the unit.
        low, high: the values at its ends.
        percent: whether fractions are shown as percentages.
        labels: (value, text) of the ticks; `None`: round numbers.
    """

    title: str
    low: float
    high: float
    percent: bool = False
    labels: list | None = None

    def ticks(self):
        """Returns (value, text) of each tick."""
        if self.labels is not None:
            return self.labels
        factor = 100 if self.percent else 1
        values = round_numbers(self.low * factor, self.high * factor)
        return [(value / factor, f"{value:g}") for value in values]


def round_numbers(low, high, most=6) -> list[float]:
    """Computes multiples of 1, 2 or 5 times a power of ten in a range, for the ticks of an axis."""
    if high <= low:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def values_of(series) -> list:
    """Returns the values of several series that are defined."""
    return [value for one in series for value in one.values if value is not None]


def accuracy_axis(values) -> Axis:
    """Makes an axis of accuracies that ends at tenths around the values."""
    low, high = math.floor(min(values) * 10 - 1e-9) / 10, math.ceil(max(values) * 10 + 1e-9) / 10
    high = min(max(high, 0.1), 1.0)
    return Axis("accuracy in %", max(min(low, high - 0.2), 0.0), high, percent=True)


def number_axis(values, title) -> Axis:
    """Makes an axis from 0, or from the least value below it."""
    low, high = min(0, *values), max(0, *values)
    return Axis(title, low, high if high > low else low + 1)


def fraction_axis(values, title) -> Axis:
    """Makes an axis of fractions that ends at hundredths around the values, and holds 0."""
    known = [0, 0, *(value for value in values if value is not None)]
    low, high = math.floor(min(known) * 100) / 100, math.ceil(max(known) * 100) / 100
    return Axis(title, low, high if high > low else low + 0.01, percent=True)


def even_ticks(texts, most=8) -> list:
    """Returns (position, text) of every n-th text, `most` at most."""
    step = math.ceil(len(texts) / most)
    return [(number, texts[number]) for number in range(0, len(texts), step)]


def line_chart(
    label, positions, captions, series, x_axis, y_axis, marks=(), width=WIDTH, height=HEIGHT
):
    """Computes the geometry of lines over numbers.

    Args:
        label: description of the chart for screen readers.
        positions: rising numbers on the x axis.
        captions: first line of the tooltip at each position.
        series: list of `Series`.
        x_axis, y_axis: `Axis`.
        marks: (position, text) of vertical lines.
        width, height: in units of the drawing, where text is 12 units high.
    """
    x = _scale(x_axis, LEFT, width - RIGHT)
    y = _scale(y_axis, height - BOTTOM, TOP)
    paths = []
    for style, one in enumerate(one for one in series if one.drawn):
        points = [
            (x(position), y(value))
            for position, value in zip(positions, one.values, strict=True)
            if value is not None
        ]
        line = "M" + " L".join(f"{px} {py}" for px, py in points) if points else ""
        dots = points if len(positions) <= 60 else []
        paths.append({"style": style, "kind": "line", "d": line, "dots": dots})
    return {
        **_frame(label, x, y, x_axis, y_axis, (width, height)),
        **_texts(list(map(x, positions)), captions, series, y_axis),
        "paths": paths,
        "marks": [(x(position), text) for position, text in marks],
    }


def bar_chart(label, captions, series, y_axis, x_labels, x_title, stacked=False):
    """Computes the geometry of bars.

    Args:
        label: description of the chart for screen readers.
        captions: first line of the tooltip at each position.
        series: list of `Series`.
        y_axis: an `Axis`.
        x_labels, x_title: (position, text) of the ticks, and title of the x axis.
        stacked: `True` where each position has a value in one series only: every bar has the full
            width. Otherwise the bars of a position are next to each other.
    """
    x_axis = Axis(x_title, -0.5, len(captions) - 0.5, labels=x_labels)
    x = _scale(x_axis, LEFT, WIDTH - RIGHT, digits=2)
    y = _scale(y_axis, HEIGHT - BOTTOM, TOP)
    room = 1.0 if len(captions) > 60 else 0.8
    width = room / (1 if stacked else len(series))
    ground = y(min(max(0, y_axis.low), y_axis.high))
    paths, texts = [], []
    for style, one in enumerate(series):
        outline = []
        for position, value in enumerate(one.values):
            if value is None:
                continue
            left = position - room / 2 + (0 if stacked else style * width)
            outline.append(f"M{x(left)} {ground}V{y(value)}H{x(left + width)}V{ground}Z")
            if len(captions) * len(series) <= 16 and y_axis.percent:
                texts.append((x(left + width / 2), y(value) - 3, f"{100 * value:.0f}"))
        paths.append({"style": style, "kind": "area", "d": "".join(outline), "dots": []})
    return {
        **_frame(label, x, y, x_axis, y_axis, (WIDTH, HEIGHT)),
        **_texts(list(map(x, range(len(captions)))), captions, series, y_axis),
        "paths": paths,
        "texts": texts,
    }


def _scale(axis, first, last, digits=1):
    span = (axis.high - axis.low) or 1
    return lambda value: round(first + (value - axis.low) / span * (last - first), digits)


def _frame(label, x, y, x_axis, y_axis, size):
    return {
        "label": label,
        "size": size,
        "box": (LEFT, TOP, size[0] - RIGHT, size[1] - BOTTOM),
        "x_title": x_axis.title,
        "y_title": y_axis.title,
        "x_ticks": [(x(value), text) for value, text in x_axis.ticks()],
        "y_ticks": [(y(value), text) for value, text in y_axis.ticks()],
        "marks": [],
        "texts": [],
    }


def _texts(pixels, captions, series, y_axis):
    factor, unit = (100, " %") if y_axis.percent else (1, "")
    values = [[one.name, [_short(value, factor) for value in one.values]] for one in series]
    return {
        "hover": {"x": pixels, "at": captions, "unit": unit, "series": values},
        "legend": list(enumerate(one.name for one in series if one.drawn)),
    }


def _short(value, factor):
    return None if value is None else float(f"{value * factor:.5g}")
