"""The classifier's file: equal models have equal bytes."""

import json
import re
import zipfile
from pathlib import Path

import keras

from tfcil.classifier.model import FEATURES
from tfcil.errors import UserError
from tfcil.files import write_atomically, write_zip


def save_classifier(model, path) -> None:
    """Writes a `.keras` file whose bytes depend on the model alone.

    Keras writes the time and addresses of objects into the archive: they are replaced. The members
    are sorted.
    """
    with write_atomically(path) as aside:
        model.save(aside)
        with zipfile.ZipFile(aside) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        metadata = json.loads(members["metadata.json"])
        metadata["date_saved"] = "1980-01-01@00:00:00"
        members["metadata.json"] = json.dumps(metadata).encode()
        members["config.json"] = _without_addresses(members["config.json"])
        write_zip(aside, {name: [contents] for name, contents in members.items()})


def _without_addresses(config: bytes) -> bytes:
    """Replaces the `id()` of shared objects by numbers in the order of their appearance."""
    numbers: dict[bytes, int] = {}

    def number(found):
        return b"%s%d" % (found[1], numbers.setdefault(found[2], len(numbers)))

    return re.sub(rb'("shared_object_id": )(\d+)', number, config)


def open_classifier(path):
    """Opens a model that `save_classifier` wrote; a damaged or foreign file is a `UserError`."""
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
        model.get_layer(FEATURES)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"Expected a model saved by tfcil, with a layer named `{FEATURES}` ({reason}). "
            f"Received: path={Path(path)}"
        ) from None
    return model
