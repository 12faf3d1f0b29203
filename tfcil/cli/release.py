"""Commands before a model ships: check, card."""

import sys
from pathlib import Path


def add(commands) -> None:
    """Adds the commands to the parser."""
    check = commands.add_parser("check", help="fail if a model lost too much on old classes")
    check.add_argument("model", type=Path, help="the new model: models/TASK.keras")
    about = "the earlier model, of this or another folder; its classes are the old ones"
    check.add_argument("--against", type=Path, required=True, metavar="MODEL", help=about)
    for name, meaning in {
        "--class-drop": "points that one old class may lose (10)",
        "--total-drop": "points that the old classes together may lose (5)",
        "--calibration": "expected calibration error in points (15)",
        "--level": "probability of a class's fall by chance, below which it fails (0.01)",
    }.items():
        check.add_argument(name, type=float, metavar="X", help=meaning)
    check.set_defaults(run=_check)

    card = commands.add_parser("card", help="write the card of a model: figures, settings, classes")
    card.add_argument("model", type=Path, help="a classifier: models/TASK.keras")
    card.add_argument("--date", action="store_true", help="say when its training began")
    card.add_argument("--output", default="model_card.md", help="the file (default: %(default)s)")
    card.set_defaults(run=_card)


def _check(options) -> None:
    from tfcil.release.check import Limits, check_model
    from tfcil.release.check_table import print_check

    names = ("class_drop", "total_drop", "calibration", "level")
    given = {name: getattr(options, name) for name in names}
    limits = Limits(**{name: value for name, value in given.items() if value is not None})
    check = check_model(options.model, options.against, limits)
    print_check(check)
    if check.failures():
        sys.exit(1)


def _card(options) -> None:
    from tfcil.files import write_atomically
    from tfcil.release.card import model_card

    text = model_card(options.model, options.date)
    with write_atomically(options.output) as aside:
        aside.write_text(text, encoding="utf-8")
    print(f"{options.output}: the card of {options.model}")
