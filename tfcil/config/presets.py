"""The presets of params.yaml, and other files that come with the package."""

from pathlib import Path

from tfcil.errors import UserError, nearest

PACKAGE = Path(__file__).resolve().parents[1]


def packaged(installed: str, checkout: str) -> Path:
    """Returns where a file or folder of ours is: in an installed package, else in the checkout.

    Args:
        installed: its path in the package.
        checkout: its path in the checkout.
    """
    found = PACKAGE / installed
    return found if found.exists() else PACKAGE.parent / checkout


def presets() -> dict[str, Path]:
    """Returns the files of the presets by name."""
    files = sorted(packaged("presets", "pipelines/presets").glob("*.yaml"))
    return {file.stem: file for file in files}


def find_preset(name: str) -> Path:
    """Returns the file of a preset; an unknown name is a `UserError`."""
    known = presets()
    if name not in known:
        raise UserError(
            f"Expected one of the presets {', '.join(known)}{nearest(name, known)}. "
            f"Received: preset={name}"
        )
    return known[name]


def headline(preset: Path) -> str:
    """Returns the first line of a preset, which says what it is."""
    with preset.open(encoding="utf-8") as lines:
        return lines.readline().lstrip("# ").strip()
