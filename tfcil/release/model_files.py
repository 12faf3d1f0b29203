"""Finds the experiment of a model, and reads what the experiment knows of it."""

from pathlib import Path

from tfcil.errors import UserError
from tfcil.files import file_digest, read_json
from tfcil.stages.layout import Layout


def experiment_of(model) -> tuple[Layout, str]:
    """Returns the layout of the experiment that a model lies in, and the key of its task.

    Args:
        model: path of the model, FOLDER/models/TASK.keras.

    Raises:
        UserError: the path is another one.
    """
    path = Path(model)
    layout = Layout.of(path.parent.parent)
    if path != layout.model(path.stem):
        raise UserError(f"Expected a path models/TASK.keras. Received: model={path}")
    return layout, path.stem


def read_evaluation(model) -> dict:
    """Reads evaluation/TASK.json of a model, see `tfcil.stages.evaluate`.

    Raises:
        UserError: the model was not evaluated, or was trained again since.
    """
    layout, key = experiment_of(model)
    path, trained = layout.evaluation(key), layout.model(key)
    commands = f"`dvc repro evaluate@{key}` or `tfcil stage evaluate {key}`"
    if not path.exists():
        raise UserError(f"Expected {path}, which {commands} writes. Received: model={model}")
    evaluation = read_json(path)
    # The model itself may be elsewhere: its figures are read, it is not run.
    if "model" in evaluation and trained.exists() and file_digest(trained) != evaluation["model"]:
        raise UserError(
            f"Expected {path} of this model, which was evaluated before it was trained again: "
            f"{commands}. Received: model={model}"
        )
    return evaluation


def class_names(model) -> list[str]:
    """Reads the names of a model's classes, in the order of arrival."""
    layout, key = experiment_of(model)
    return read_json(layout.class_names(key))["classes"]
