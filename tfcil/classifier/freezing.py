"""Which layers of a classifier are trained, and heads that are computed instead of trained."""

import re

import keras

from tfcil.classifier.growth import copied
from tfcil.classifier.model import FEATURES, LOGITS, num_classes
from tfcil.errors import UserError
from tfcil.layers.case import ContextualScale

PROJECTION = "projection"
# block1a_expand_conv, conv5_block3_1_conv, block_16_project, stage_3_block_2_layer, ...
BLOCK = re.compile(r".*?block_?\d+[a-z]?(?=_|$)")


def trainable_layers(model, part):
    """Returns a function that tells whether a layer is trained, or `None` for all of them.

    Args:
        model: a classifier.
        part: `"all"`; `"head"`, what follows the features; `"adapter"`, the head and the layers
            that compute factors; or a number: the head and that many blocks before it, with the
            layers behind them.

    Raises:
        UserError: where the network has fewer blocks or none, or no layer that computes factors.
    """
    if part == "all":
        return None
    backbone = network_of(model).layers
    if part == "adapter":
        frozen = [layer for layer in backbone if not isinstance(layer, ContextualScale)]
        if len(frozen) == len(backbone):
            raise UserError(
                "trainable: expected adapter in base alone, with model.adapter=case. "
                "Received: trainable=adapter"
            )
        return lambda layer: layer not in frozen
    frozen = backbone if part == "head" else _before_last_blocks(backbone, part)
    return lambda layer: layer not in frozen


def _before_last_blocks(layers, count):
    blocks, of_layer = [], []
    for layer in layers:
        found = BLOCK.match(layer.name)
        if found and found[0] not in blocks:
            blocks.append(found[0])
        of_layer.append(blocks.index(found[0]) if found else len(blocks) - 1)
    if count > len(blocks):
        raise UserError(
            f"trainable: expected all, head, or a number of the network's {len(blocks)} blocks. "
            f"Received: trainable={count}"
        )
    first = len(blocks) - count
    return [layer for layer, block in zip(layers, of_layer, strict=True) if block < first]


def network_of(model):
    """Returns the model from images to features; it shares the layers."""
    return keras.Model(model.input, model.get_layer(FEATURES).output)


def frozen(model):
    """Returns an independent copy of a classifier, whose network is frozen up to its features."""
    copy = copied(model)
    freeze_network(copy)
    return copy


def freeze_network(model) -> None:
    """Freezes the layers up to the features."""
    for layer in network_of(model).layers:
        layer.trainable = False


def is_frozen(model) -> bool:
    """Tells whether no weight before the features is trained."""
    return not network_of(model).trainable_weights


def with_head(model, kernel, bias, projection=None):
    """Returns a classifier of the same network with a given head.

    Args:
        model: with the layer `features` of dimension d.
        kernel: (d, classes), or (m, classes) with a projection.
        bias: (classes,).
        projection: (d, m), of a layer without a bias and with a ReLU before the head; or `None`.
    """
    x = model.get_layer(FEATURES).output
    if projection is not None:
        layer = keras.layers.Dense(
            projection.shape[1], "relu", use_bias=False, dtype="float32", name=PROJECTION
        )
        x = layer(x)
        layer.set_weights([projection])
        layer.trainable = False
    head = keras.layers.Dense(len(bias), dtype="float32", name=LOGITS)
    classifier = keras.Model(model.input, head(x), name=model.name)
    head.set_weights([kernel, bias])
    return classifier


def classifier_of_features(model):
    """Returns the classifier from features to logits; of no class, where the model knows none.

    Args:
        model: a classifier with a linear head.

    Returns:
        A classifier of images of one pixel with d channels, which are its features.
    """
    dimension = model.get_layer(FEATURES).output.shape[-1]
    image = keras.Input((1, 1, dimension), name="image")
    features = keras.layers.Flatten(dtype="float32", name=FEATURES)(image)
    head = keras.Model(image, features, name=model.name)
    if not num_classes(model):
        return head
    return with_head(head, *model.get_layer(LOGITS).get_weights())


def projection_of(model):
    """Returns the (d, m) array of the projection before the head, `None` if there is none."""
    found = [layer for layer in model.layers if layer.name == PROJECTION]
    return found[0].get_weights()[0] if found else None
