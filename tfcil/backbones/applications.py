"""The networks of `keras.applications`, with the preprocessing each was published with inside."""

import functools
import inspect
import re
from collections import Counter

import keras
import numpy as np
from keras import layers

from tfcil.backbones.parts import outputs
from tfcil.errors import UserError


@functools.cache
def constructors():
    """Returns the functions of `keras.applications` by their names in lower case."""
    functions = inspect.getmembers(keras.applications, inspect.isfunction)
    return {name.lower(): function for name, function in functions}


def application_layers(inputs, name, weights=None):
    """Applies a network of `keras.applications` to (batch, height, width, 3) images of 0..255.

    Raises:
        UserError: for images it does not take, or weights that Keras cannot download.
    """
    constructor = constructors()[name.lower().replace("_", "")]
    size = tuple(inputs.shape[1:])
    if len(size) != 3 or None in size or size[-1] != 3:
        raise UserError(
            f"{constructor.__name__} takes colour images of fixed size (height, width, 3). "
            f"Received: input_shape={size}"
        )
    upstream = keras.Model(keras.utils.get_source_inputs(inputs), inputs).operations
    network = _construct(constructor, preprocess(inputs, constructor), weights)
    _name_unnamed([layer for layer in network.operations if layer not in upstream])
    return outputs([layers.Identity(name="map1")(network.output)])


def preprocess(x, constructor):
    """Applies the preprocessing of the network's family to raw images, as plain Keras layers.

    Some families leave the images to the network; the others scale and shift the channels, some in
    the order blue, green, red. The family's own function, applied to four colours, shows which.
    """
    colours = 255.0 * np.concatenate([np.zeros((1, 3)), np.eye(3)])
    family = inspect.getmodule(constructor)
    black, *primaries = family.preprocess_input(colours.reshape(4, 1, 1, 3)).reshape(4, 3)
    matrix = (np.array(primaries) - black) / 255.0
    order, scale = matrix.argmax(axis=0), matrix.max(axis=0)
    # In float32 also under mixed precision: 0..255 less a mean needs more than 8 bits.
    if order.tolist() == [2, 1, 0]:
        # Cropping that reads the axes as channels first keeps one channel of ours.
        options = {"data_format": "channels_first", "dtype": "float32"}
        planes = [
            layers.Cropping2D(((0, 0), (c, 2 - c)), name=f"preprocess_channel{c}", **options)(x)
            for c in (2, 1, 0)
        ]
        x = layers.Concatenate(dtype="float32", name="preprocess_bgr")(planes)
    if np.any(scale != 1) or np.any(black != 0):
        options = {"dtype": "float32", "name": "preprocess_rescaling"}
        x = layers.Rescaling(scale.tolist(), black.tolist(), **options)(x)
    return x


def _construct(constructor, x, weights):
    """Builds the network on `x`; an error of Keras becomes a `UserError`."""
    size = tuple(x.shape[1:])
    try:
        return constructor(include_top=False, weights=weights, input_tensor=x, input_shape=size)
    except ValueError as error:
        reason = " ".join(str(error).partition("; Received")[0].split())
        raise UserError(
            f"{constructor.__name__}: {reason}. Received: input_shape={size}"
        ) from error
    except Exception as error:
        if weights is None:
            raise
        # Keras raises a bare Exception where a download fails.
        raise UserError(
            f"The weights of {constructor.__name__} could not be downloaded, which needs internet "
            f"access once ({' '.join(str(error).split())}). Received: weights={weights}"
        ) from error


def _name_unnamed(operations):
    """Renames the layers that Keras numbered itself, from 1.

    Keras numbers them over the whole process, so the bytes of a saved model would depend on what
    was built before it.
    """
    counts = Counter()
    for operation in operations:
        base = re.sub(r"_\d+$", "", operation.name)
        if base.replace("_", "") == type(operation).__name__.lower():
            counts[base] += 1
            operation.name = f"unnamed_{base}_{counts[base]}"
        if isinstance(operation, keras.Sequential):  # parts of ConvNeXt
            _name_unnamed(keras.Model(operation.inputs, operation.outputs).operations)
