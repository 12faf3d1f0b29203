"""The classifier before its first class."""

import keras

from tfcil import backbones
from tfcil.classifier.adapter import with_adapter
from tfcil.classifier.model import FEATURES
from tfcil.layers.augmentation import resized_shape


def untrained(
    backbone,
    image_shape,
    mean,
    std,
    precision="float32",
    side=None,
    adapter=None,
    seed=0,
    **options,
):
    """Builds a model that knows no class: raw images in, features out.

    Args:
        backbone: name of the backbone, as in params.yaml.
        image_shape: (height, width, channels).
        mean: mean of each channel of the raw images (0 to 255); backbones that normalise themselves
            ignore it.
        std: standard deviation of each channel.
        precision: name of a Keras dtype policy.
        side: the model resizes images so that their shorter side has so many pixels; `None`: it
            takes them as they are.
        adapter: `"case"`: a factor per channel, 1, follows each block, see `with_adapter`.
        seed: of the initial weights.
        options: `weights`, `last_relu`, `layer` and `pixels`, as `tfcil.backbones.apply` takes
            them.

    Returns:
        A `keras.Model` from (batch, height, width, channels) to (batch, d).

    Raises:
        UserError: the backbone is unknown, does not take such images, or has no block for an
            adapter.
    """
    keras.utils.set_random_seed(seed)
    keras.utils.clear_session()
    inputs = keras.Input(image_shape, name="image")
    x = inputs if side is None else _resized(inputs, side)
    if not backbones.normalises_itself(backbone):
        scale = [1.0 / one for one in std]
        offset = [-one * factor for one, factor in zip(mean, scale, strict=True)]
        x = keras.layers.Rescaling(scale, offset, dtype=precision, name="normalisation")(x)
    outputs = backbones.apply(backbone, x, dtype=precision, **options)
    model = keras.Model(inputs, outputs[FEATURES], name="classifier")
    return with_adapter(model) if adapter else model


def _resized(images, side):
    shape = images.shape[1:]
    # No `Resizing` layer: without a `training` argument, all layers after it would train. An
    # enlarged image needs no antialiasing, which XLA does not know on a GPU.
    x = keras.ops.image.resize(
        images,
        resized_shape(shape, side)[:2],
        antialias=side < min(shape[:2]),
        data_format="channels_last",
    )
    x._keras_history.operation.name = "resizing"
    return x
