"""Writes an export whole or not at all; replaces an earlier export and nothing else."""

import importlib.util
import zipfile
from pathlib import Path

import keras

from tfcil.console import native_messages_hidden
from tfcil.errors import UserError
from tfcil.export import FORMATS, writers
from tfcil.files import write_atomically

SUFFIXES = {"keras": ".keras", "savedmodel": "", "onnx": ".onnx", "tflite": ".tflite"}
WRITERS = {kind: getattr(writers, f"write_{kind}") for kind in FORMATS}


def export(classifier, kind, path) -> None:
    """Writes a classifier in another format.

    Args:
        classifier: a `tfcil.predict.Classifier`.
        kind: one of `tfcil.export.FORMATS`.
        path: the file or folder to write. An earlier export of the same format is replaced.

    Raises:
        UserError: `path` is something else, a package is missing, or the converter cannot convert
            the model.
    """
    path = Path(path)
    _check_packages(kind)
    _check_output(kind, path)
    with write_atomically(path) as aside:
        with native_messages_hidden():
            refused = _attempt(WRITERS[kind], classifier, aside)
        if refused:
            raise UserError(
                f"The converter does not take this model ({refused}). Received: --format {kind}"
            )


def _attempt(write, classifier, path) -> str:
    """Returns why a converter failed, or `""`; converters raise exceptions of any type."""
    try:
        write(classifier, path)
    except (UserError, OSError):
        raise
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""


def _check_packages(kind):
    if kind != "keras" and keras.backend.backend() != "tensorflow":
        raise UserError(
            f"--format {kind} needs Keras on TensorFlow. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}"
        )
    for package in ("onnx", "tf2onnx") if kind == "onnx" else ():
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f'--format onnx needs {package}: pip install "tfcil[onnx]". Received: no {package}'
            )


def _check_output(kind, path):
    suffix = SUFFIXES[kind]
    if path.suffix != suffix if suffix else path.suffix in {*SUFFIXES.values()} - {""}:
        expected = f"a file that ends in {suffix}" if suffix else "a folder"
        raise UserError(f"--output: format {kind} is {expected}. Received: output={path}")
    if path.exists() and not _is_export(kind, path):
        raise UserError(
            f"--output: expected a new path, or an earlier export to {kind}. What is there stays "
            f"as it is. Received: output={path}"
        )


def _is_export(kind, path) -> bool:
    if kind == "savedmodel":
        return path.is_dir() and ((path / "saved_model.pb").is_file() or not any(path.iterdir()))
    if not path.is_file():
        return False
    if kind == "tflite":
        with path.open("rb") as file:
            return file.read(8)[4:] == b"TFL3"
    if kind == "keras":
        # models/TASK.keras has no names inside.
        return zipfile.is_zipfile(path) and writers.NAMES_FILE in zipfile.ZipFile(path).namelist()
    return True
