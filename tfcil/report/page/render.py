"""Templates to text; everything that comes from an experiment is escaped."""

import base64
import hashlib
from datetime import timedelta
from pathlib import Path

from tfcil.errors import UserError

FOLDER = Path(__file__).parent / "templates"


def render(template: str, **values) -> str:
    """Fills a template in.

    Args:
        template: its file in the folder templates/.
        **values: what it shows.

    Raises:
        UserError: where jinja2 is not installed.
    """
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
    environment.filters |= {
        "share": share,
        "points": points,
        "size": size,
        "duration": duration,
        "thousands": thousands,
        "setting": setting,
        "breakable": breakable,
    }
    # Our own files, without a word of the experiment. The page lets no other script run.
    css, script = (
        (FOLDER / name).read_text(encoding="utf-8") for name in ("style.css", "script.js")
    )
    sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    environment.globals |= {"css": css, "script": script, "script_digest": f"sha256-{sha}"}
    return environment.get_template(template).render(values)


def share(fraction, digits=2) -> str:
    """Writes a fraction as a percentage; a dash where it is undefined."""
    return "–" if fraction is None else f"{100 * fraction:.{digits}f} %"


def points(difference, digits=2, sign=False) -> str:
    """Writes a difference of fractions in percentage points."""
    if difference is None:
        return "–"
    text = f"{100 * difference:{'+' if sign else ''}.{digits}f}"
    text = text.lstrip("+-") if float(text) == 0 else text
    return text.replace("-", "−") + " points"


def size(number) -> str:
    """Writes bytes as kB, MB or GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return (
                f"{number / factor:.3g} {unit}"
                if number < 1e12
                else f"{number / factor:.0f} {unit}"
            )
    return f"{number:.0f} bytes"


def duration(seconds) -> str:
    """Writes seconds, above two minutes as hours, minutes and seconds."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return str(timedelta(seconds=round(seconds)))


def thousands(number) -> str:
    """Writes a whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", " ")


def setting(value) -> str:
    """Writes the value of a parameter as params.yaml has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {setting(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "[" + ", ".join(setting(one) for one in value) + "]"
    return str(value)


def breakable(name):
    """Lets a long name break after a slash or an underscore; the rest of it is escaped."""
    from markupsafe import Markup, escape

    text = escape(name)
    for mark in "/_":
        text = text.replace(mark, mark + Markup("<wbr>"))
    return text
