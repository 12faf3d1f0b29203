"""Renders the templates; jinja2 escapes every value of an experiment."""

import base64
import hashlib
import json
from datetime import timedelta
from pathlib import Path

from tfcil.errors import UserError

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values) -> str:
    """Renders a file of templates/ with the values of its variables."""
    try:
        import jinja2
    except ImportError:
        raise UserError(
            "The report needs the package jinja2: pip install 'tfcil[report]'. "
            "Received: no module named jinja2"
        ) from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (share, points, size, duration, thousands, setting, breakable)
    environment.filters |= {one.__name__: one for one in filters}
    css, script = (
        (FOLDER / name).read_text(encoding="utf-8") for name in ("style.css", "script.js")
    )
    # The browser runs the script with this digest and no other.
    sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment.globals |= {"css": css, "script": script, "script_digest": f"sha256-{sha}"}
    return environment.get_template(template).render(values)


def share(fraction, digits=2) -> str:
    """Formats a fraction as a percentage; a dash where it is undefined."""
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def points(difference, digits=2, sign=False) -> str:
    """Formats a difference of fractions in percentage points."""
    if difference is None:
        return "–"
    text = f"{100 * difference:{'+' if sign else ''}.{digits}f}"
    text = text.lstrip("+-") if float(text) == 0 else text
    return text.replace("-", "−") + " points"


def size(number) -> str:
    """Formats a number of bytes in kB, MB or GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:{'.3g' if number < 1e12 else '.0f'}} {unit}"
    return f"{number:.0f} bytes"


def duration(seconds) -> str:
    """Formats seconds; from two minutes on as hours, minutes and seconds."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))


def thousands(number) -> str:
    """Formats a whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", " ")


def setting(value) -> str:
    """Formats the value of a parameter as in params.yaml."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {setting(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(setting(one) for one in value) + "]"
    return str(value)


def breakable(name):
    """Escapes a name and allows a line break after each slash and underscore."""
    from markupsafe import Markup, escape

    text = escape(name)
    for mark in "/_":
        text = text.replace(mark, mark + Markup("<wbr>"))
    return text
