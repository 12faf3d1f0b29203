"""A check as a table on the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROWS = 20  # classes in the table


def print_check(check) -> None:
    """Prints what old classes lost, on how many images each figure rests, and the verdict."""
    console, limits = Console(), check.limits
    table = Table(title=f"Accuracy on old classes ({check.split} images)")
    table.add_column("", overflow="fold")
    for column in ("images", "before", "after", "points", "chance"):
        table.add_column(column, justify="right")
    table.add_column("", no_wrap=True)
    beyond, failed = check.beyond(), check.failed_classes()
    for fall in (check.total, *check.tasks):
        table.add_row(*_cells(fall), "")
    for fall in beyond[:ROWS]:
        table.add_row(*_cells(fall), "fails" if fall in failed else "may be chance")
    console.print(table)
    lines = [
        f"{len(check.classes)} old classes, each judged on {_images(check)} {check.split} images; "
        f"{len(beyond)} lost more than {limits.class_drop:g} points",
        f"a class fails if it lost more, and chance gives such a fall with a probability below "
        f"{limits.level:g}: of classes as good as before, at most "
        f"{limits.level * len(check.classes):.2g} of {len(check.classes)} on average",
    ]
    if few := check.not_judged():
        lines.append(f"{len(few)} have too few images: losing every correct answer may be chance")
    if check.calibration is not None:
        lines.append(f"calibration error: {check.calibration:.1f} points")
    lines += [f"failed: {reason}" for reason in check.failures()] or ["passed"]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _cells(fall):
    shares = (f"{100 * hits / max(fall.images, 1):.1f}%" for hits in (fall.before, fall.after))
    return (
        Text(fall.name),
        str(fall.images),
        *shares,
        f"{0 - fall.points:+.1f}",
        f"{fall.chance:.2g}",
    )


def _images(check) -> str:
    counts = sorted({one.images for one in check.classes})
    return " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
