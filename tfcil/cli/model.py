"""Commands that use a trained model: export."""

from pathlib import Path


def add(commands) -> None:
    """Adds the commands to the parser."""
    export = commands.add_parser("export", help="write a model in another form")
    export.add_argument("model", type=Path, help="a classifier: models/TASK.keras")
    export.add_argument(
        "--rule",
        choices=("nme",),
        required=True,
        help="nme: a model that predicts the nearest mean of exemplars, as iCaRL does",
    )
    export.add_argument("--memory", type=Path, required=True, help="memory/TASK.npz")
    export.add_argument("--output", type=Path, required=True, help="the .keras file to write")
    export.set_defaults(run=_export)


def _export(options) -> None:
    from tfcil.classifier import open_classifier, save_classifier
    from tfcil.exemplars import ExemplarMemory
    from tfcil.export import nearest_mean_classifier

    memory = ExemplarMemory.load(options.memory)
    model = nearest_mean_classifier(open_classifier(options.model), memory)
    save_classifier(model, options.output)
    print(f"{options.output}: nearest mean of {len(memory.labels)} exemplars")
