"""Finds the experiment of a model, and reads what the experiment knows of it."""

from pathlib import Path

from tfcil.errors import UserError
from tfcil.files import read_json
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
        UserError: the model was not evaluated.
    """
    layout, key = experiment_of(model)
    path = layout.evaluation(key)
    if not path.exists():
        raise UserError(
            f"Expected {path}, which `dvc repro evaluate@{key}` or `tfcil stage evaluate {key}` "
            f"writes. Received: model={model}"
        )
    return read_json(path)


def class_names(model) -> list[str]:
    """Reads the names of a model's classes, in the order of arrival."""
    layout, key = experiment_of(model)
    return read_json(layout.class_names(key))["classes"]
