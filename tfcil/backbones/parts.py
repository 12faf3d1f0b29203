"""The layers that all backbones are made of, each with a name; copies of networks by others."""

import keras
from keras import layers

from tfcil.errors import UserError


def check_images(inputs, smallest):
    """Raises a `UserError` unless `inputs` are images with sides of at least `smallest` pixels."""
    shape = tuple(inputs.shape[1:])
    if len(shape) != 3 or None in shape or min(shape[:2]) < smallest:
        raise UserError(
            "Expected images of fixed size (height, width, channels), each side at least "
            f"{smallest} pixels. Received: input_shape={shape}"
        )


def convolution(x, channels, size, name, stride=1):
    """Applies a bias-free convolution with symmetric padding.

    `padding="same"` with a stride pads one side more than the other, PyTorch does not.
    """
    if stride > 1 and size > 1:
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    # One initialiser per layer: in Keras 3 an instance draws the same numbers every time.
    initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer=initializer,
        name=name,
    )(x)


def batch_norm(x, name, gamma="ones"):
    """Normalises the batch with PyTorch's constants, those of all published results."""
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=name
    )(x)


def outputs(maps):
    """Pools the last map; the features stay float32 where convolutions compute in less."""
    dtype = keras.config.dtype_policy().variable_dtype
    features = layers.GlobalAveragePooling2D(dtype=dtype, name="features")(maps[-1])
    return {"maps": maps, "features": features}


def copied_onto(x, network, received):
    """Applies a copy of a network, layer by layer, with its weights.

    Args:
        x: (batch, height, width, channels) symbolic images, computed from one `keras.Input`.
        network: a functional `keras.Model` with one input, to a map (batch, height, width, d) or
            features (batch, d). Its layers' names get the prefix `own_`.
        received: what an error message ends with.

    Returns:
        The same as `outputs`; there is no map where the network ends in features.

    Raises:
        UserError: the network does not take such images, or ends in something else.
    """
    (image,) = keras.utils.get_source_inputs(x)
    was_image = {id(image): x}

    def renamed(layer):
        return type(layer).from_config(layer.get_config() | {"name": f"own_{layer.name}"})

    def call(layer, *arguments, **options):
        # Keras clones onto inputs only: what reads the images reads `x` instead.
        arguments = keras.tree.map_structure(lambda one: was_image.get(id(one), one), arguments)
        return layer(*arguments, **options)

    try:
        copy = keras.models.clone_model(
            network, input_tensors=image, clone_function=renamed, call_function=call
        )
        copy.set_weights(network.get_weights())
    except (ValueError, TypeError, NotImplementedError) as error:
        raise UserError(
            "model.backbone: expected a network that takes these images "
            f"({' '.join(str(error).split()):.200}); model.side resizes them. "
            f"Received: {received}, images of {tuple(x.shape[1:])}"
        ) from None
    for layer in copy.layers:
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()  # computes the constants that it uses instead of its weights
    (end,) = copy.outputs
    if len(end.shape) == 4:
        return outputs([layers.Identity(name="map1")(end)])
    if len(end.shape) != 2:
        raise UserError(
            "model.layer: expected a layer whose output is a map (batch, height, width, d) or "
            f"features (batch, d). Received: {received}, output {end.shape}"
        )
    return {"maps": [], "features": layers.Identity(dtype="float32", name="features")(end)}
