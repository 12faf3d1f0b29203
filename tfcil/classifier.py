"""The classifier (backbone and head) as one flat, plain Keras model: made, grown, saved, opened.

Raw images go in (uint8 or floats of 0 to 255); the layer `features` is the pooled penultimate
output, the layer `logits` the last. Files hold Keras's own layers only, so anybody opens them with
`keras.models.load_model` and without tfcil.
"""

import json
import re
import zipfile
from pathlib import Path

import keras
import numpy as np

from tfcil import backbones
from tfcil.errors import UserError
from tfcil.files import write_atomically, write_zip

FEATURES = "features"
LOGITS = "logits"
MAP = "map"


def untrained(backbone, image_shape, mean, std, weights=None, precision="float32", seed=0):
    """Builds a model that knows no class: raw images in, features out.

    Args:
        backbone: name of the backbone, as in params.yaml.
        image_shape: (height, width, channels).
        mean: per-channel mean of the raw images (0 to 255), ignored by backbones that normalise.
        std: per-channel standard deviation of the raw images.
        weights: `None` or `"imagenet"`.
        precision: name of a Keras dtype policy.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from (batch, height, width, channels) to (batch, d).

    Raises:
        UserError: where the backbone is unknown or does not take such images.
    """
    keras.utils.set_random_seed(seed)
    keras.utils.clear_session()
    inputs = keras.Input(image_shape, name="image")
    x = inputs
    if not backbones.normalises_itself(backbone):
        scale = [1.0 / one for one in std]
        offset = [-one * factor for one, factor in zip(mean, scale, strict=True)]
        x = keras.layers.Rescaling(scale, offset, dtype=precision, name="normalisation")(x)
    features = backbones.apply(backbone, x, weights=weights, dtype=precision)[FEATURES]
    return keras.Model(inputs, features, name="classifier")


def num_classes(model) -> int:
    """Counts the classes a model has logits for; 0 for an untrained one."""
    return model.output.shape[-1] if model.layers[-1].name == LOGITS else 0


def grow(model, num_new, generator):
    """Makes the student: an independent copy of `model` whose head knows `num_new` more classes.

    The old classes keep their columns; the new ones are drawn from U(-1/sqrt(d), 1/sqrt(d)), with
    zero bias.

    Args:
        model: the model of the task before, or an untrained one. It is left as it was.
        num_new: number of classes to add.
        generator: a `numpy.random.Generator`.

    Returns:
        A `keras.Model` from images to logits (batch, old + new), float32.
    """
    trunk = keras.Model(model.input, model.get_layer(FEATURES).output, name=model.name)
    copy = keras.models.clone_model(trunk)
    copy.set_weights(trunk.get_weights())
    dimension, num_old = copy.output.shape[-1], num_classes(model)
    head = keras.layers.Dense(num_old + num_new, dtype="float32", name=LOGITS)
    student = keras.Model(copy.input, head(copy.output), name=model.name)
    bound = dimension**-0.5
    kernel = generator.uniform(-bound, bound, (dimension, num_new)).astype("float32")
    bias = np.zeros(num_new, "float32")
    if num_old:
        old_kernel, old_bias = model.get_layer(LOGITS).get_weights()
        kernel = np.concatenate([old_kernel, kernel], axis=1)
        bias = np.concatenate([old_bias, bias])
    head.set_weights([kernel, bias])
    return student


def expose(model, *names):
    """Returns a model with the same layers whose outputs are a dictionary.

    Args:
        model: a classifier.
        names: of `"logits"`, `"features"` and `"maps"` (the outputs of the layers map1, map2, ...).
    """
    outputs = {}
    for name in names:
        if name == "maps":
            outputs[name] = [
                layer.output
                for layer in model.layers
                if layer.name.startswith(MAP) and layer.name.removeprefix(MAP).isdigit()
            ]
        else:
            outputs[name] = model.get_layer(name).output
    return keras.Model(model.input, outputs)


def save_classifier(model, path) -> None:
    """Writes a `.keras` file whose bytes depend on the model alone.

    Keras puts the time of saving and addresses of objects into the archive; they are replaced, and
    the members sorted, so that equal models have equal digests.
    """
    with write_atomically(path) as aside:
        model.save(aside)
        with zipfile.ZipFile(aside) as archive:
            members = {name: archive.read(name) for name in sorted(archive.namelist())}
        metadata = json.loads(members["metadata.json"])
        metadata["date_saved"] = "1980-01-01@00:00:00"
        members["metadata.json"] = json.dumps(metadata).encode()
        members["config.json"] = _without_addresses(members["config.json"])
        write_zip(aside, members)


def _without_addresses(config: bytes) -> bytes:
    """Numbers shared objects in the order of their appearance instead of by `id()`."""
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
