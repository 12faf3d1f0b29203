"""The adapter of a network: one factor per channel after each of its blocks.

In a saved model the factors are a depthwise convolution of one pixel. While they are trained, a
`ContextualScale` follows each of them, whose factors are multiplied into it at the end.
"""

import keras
import numpy as np

from tfcil.classifier.feature_cache import image_digests
from tfcil.classifier.freezing import BLOCK
from tfcil.classifier.growth import copied
from tfcil.classifier.inference import forward
from tfcil.errors import UserError
from tfcil.layers.case import ContextualScale

ADAPTER, CONTEXT = "_adapter", "_context"  # ends of the layers' names
LARGEST = 500  # images of a context
ACTIVATIONS = (keras.layers.Activation, keras.layers.ReLU, keras.layers.LeakyReLU)


def with_adapter(model):
    """Returns a copy of a model with a factor of 1 per channel after the activation of each block.

    Of a block it is the last activation that is named after it, such as that of the depthwise
    convolution in EfficientNet or the end of a residual block.

    Raises:
        UserError: the model has no such layer.
    """
    places = {}
    for layer in model.layers:
        block = BLOCK.match(layer.name)
        if block and isinstance(layer, ACTIVATIONS) and len(layer.output.shape) == 4:
            places[block[0]] = layer.name
    if not places:
        raise UserError(
            "model.adapter: expected a network with layers named after its blocks, such as "
            f"block1_relu. Received: {model.name} of {len(model.layers)} layers without one"
        )

    def factors(layer):
        policy = layer.dtype_policy
        options = {"use_bias": False, "depthwise_initializer": "ones", "dtype": policy}
        block = BLOCK.match(layer.name)[0]
        return keras.layers.DepthwiseConv2D(1, name=f"{block}{ADAPTER}", **options)

    return copied(model, call=_followed_by(factors, lambda layer: layer.name in places.values()))


def adapter_of(model):
    """Returns the layers of a model that hold its adapter's factors, from the first to the last."""
    return [layer for layer in model.layers if layer.name.endswith(ADAPTER)]


def adapter_in_training(model):
    """Returns a copy of a model whose factors are computed from each batch, and start as before."""

    def context(layer):
        name = layer.name.removesuffix(ADAPTER) + CONTEXT
        return ContextualScale(name=name, dtype=layer.dtype_policy)

    return copied(model, call=_followed_by(context, lambda one: one.name.endswith(ADAPTER)))


def trained_adapter(model, context):
    """Returns a model of `adapter_in_training` in its saved form, with the factors of a context.

    The factors of a block depend on those before: they are computed one after the other.

    Args:
        model: the trained model.
        context: (n, height, width, channels) images.
    """

    def call(layer, x, *args, **options):
        return x if isinstance(layer, ContextualScale) else layer(x, *args, **options)

    saved = copied(model, call=call)
    for layer in adapter_of(saved):
        pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(layer.output)
        means = forward(keras.Model(saved.input, {"means": pooled}), context, batch_size=50)
        trained = model.get_layer(layer.name.removesuffix(ADAPTER) + CONTEXT)
        factors = trained.factors(means["means"].mean(axis=0, dtype="float64"))
        (kernel,) = layer.get_weights()
        layer.set_weights([kernel * keras.ops.convert_to_numpy(factors)[:, None]])
    return saved


def context_of(images, labels):
    """Chooses as many images of each class, by their pixels alone.

    Args:
        images: (n, height, width, channels).
        labels: (n,).

    Returns:
        Indices, at most 500 or one per class. A class with fewer images repeats its own. They are
        sorted by class and digest, so that no sum over them depends on the order of the images.
    """
    digests = image_digests(images)
    order = np.array(sorted(range(len(images)), key=digests.__getitem__))
    classes, counts = np.unique(labels, return_counts=True)
    size = max(min(counts.max(), LARGEST // len(classes)), 1)
    return np.concatenate([np.resize(order[labels[order] == one], size) for one in classes])


def _followed_by(make, is_place):
    """Returns a `call_function` of `keras.models.clone_model` that puts layers behind others."""

    def call(layer, *args, **options):
        x = layer(*args, **options)
        return make(layer)(x) if is_place(layer) else x

    return call
