"""Geometry of heat maps: squares whose opacity is a fraction."""

import math

from tfcil.report.page.chart import WIDTH

STRONG = 0.55  # opacity from which a square's text is light
_TOP, _RIGHT = 8, 10
_FAINTEST = 0.04  # opacity of a fraction of 0: the square stays visible


def heat_map(label, rows, columns, cells, titles, low=0.0, left=46, errors=False, most=12):
    """Computes the geometry of a heat map.

    Args:
        label: description for screen readers.
        rows, columns: their texts, left of the squares and below them.
        cells: (row, column, fraction, text, tooltip) of each square.
        titles: of the y axis and the x axis.
        low: fraction without colour; 1 has full colour.
        left: room for the texts of the rows.
        errors: whether squares off the diagonal have another colour; then there is no scale.
        most: largest number of columns with texts in the squares.
    """
    side = min((WIDTH - left - _RIGHT) / len(columns), 64)
    squares = []
    for row, column, fraction, text, tip in cells:
        strength = (fraction - low) / (1 - low)
        square = {
            "x": round(left + column * side, 2),
            "y": round(_TOP + row * side, 2),
            "opacity": round(max(_FAINTEST, strength), 3),
            "strong": strength >= STRONG,
            "text": text if len(columns) <= most else "",
            "tip": tip,
            "style": errors and row != column,
        }
        squares.append(square)
    right, bottom = left + side * len(columns), _TOP + side * len(rows)
    return {
        "label": label,
        "size": (WIDTH, math.ceil(bottom + 40)),
        "box": (left, _TOP, round(right, 2), round(bottom, 2)),
        "side": round(side, 2),
        "font": round(min(12, side * 0.42), 1),
        "squares": squares,
        "rows": _spread(rows, _TOP, side),
        "columns": _spread(columns, left, side),
        "titles": titles,
        "scale": None if errors else (f"{100 * low:.0f} %", "100 %"),
    }


def _spread(texts, first, side, room=16):
    """Returns (position, text) of every n-th text, so that they don't overlap."""
    step = math.ceil(room / side)
    positions = range(0, len(texts), step)
    return [(round(first + (at + 0.5) * side, 2), texts[at]) for at in positions]


def lowest_tenth(fractions) -> float:
    """Computes the largest tenth below all fractions, at most 0.8, where the colours begin."""
    return min(max(math.floor(min(fractions) * 10 - 1e-9) / 10, 0.0), 0.8)
