"""Geometry of heat maps: squares whose strength of colour is a fraction."""

import math

from tfcil.report.page.chart import WIDTH

STRONG = 0.55  # from here on text stands on colour
_TOP, _RIGHT = 8, 10
_FAINTEST = 0.04  # a square is seen also where its fraction is 0


def heat_map(label, rows, columns, cells, titles, low=0.0, left=46, styles=None, most=12):
    """Computes the geometry of a heat map.

    Args:
        label: what it shows, for whoever can't see it.
        rows, columns: texts beside and below.
        cells: (row, column, fraction, text, tooltip) of each square.
        titles: of the y axis and the x axis.
        low: fraction that is shown without colour; 1 is full colour.
        left: room for the texts beside.
        styles: function of row and column that gives the number of a colour; `None`: one colour.
        most: rows and columns up to which texts stand in the squares.
    """
    side = min((WIDTH - left - _RIGHT) / len(columns), 64)
    numbers = len(columns) <= most
    squares = []
    for row, column, fraction, text, tip in cells:
        strength = (fraction - low) / (1 - low)
        square = {
            "x": round(left + column * side, 2),
            "y": round(_TOP + row * side, 2),
            "opacity": round(max(_FAINTEST, strength), 3),
            "strong": strength >= STRONG,
            "text": text if numbers else "",
            "tip": tip,
            "style": styles(row, column) if styles else 0,
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
        "scale": (f"{100 * low:.0f} %", "100 %"),
    }


def _spread(texts, first, side, room=16):
    """Positions of texts that don't run into each other: every second, fifth, ..."""
    step = max(1, math.ceil(room / side))
    return [
        (round(first + (number + 0.5) * side, 2), text)
        for number, text in enumerate(texts)
        if number % step == 0
    ]


def lowest_tenth(fractions) -> float:
    """Computes where the colours of a heat map of accuracies begin: at a tenth, 0.8 at most."""
    return min(max(math.floor(min(fractions) * 10 - 1e-9) / 10, 0.0), 0.8)
