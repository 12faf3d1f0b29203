"""What a classifier is made of, and models that return its inner outputs."""

import keras

from tfcil.errors import UserError
from tfcil.layers.augmentation import resized_shape

FEATURES = "features"
LOGITS = "logits"
MAP = "map"


def num_classes(model) -> int:
    """Returns the number of classes of a model, 0 for an untrained one."""
    return model.output.shape[-1] if model.layers[-1].name == LOGITS else 0


def takes(model, image_shape) -> bool:
    """Tells whether a model takes images of shape (height, width, channels)."""
    wanted = model.input.shape[1:]
    return len(wanted) == len(image_shape) and all(
        one in (None, side) for one, side in zip(wanted, image_shape, strict=True)
    )


def expose(model, *names):
    """Returns a model with the same layers whose outputs are a dictionary.

    Args:
        model: a classifier.
        names: `"logits"`, `"features"`, `"maps"` (outputs of the layers map1, map2, ...); of a
            cosine head in training also `"scores"` (logits before the scale) and `"scale"` (the
            scale, (batch, 1)); of a linear head also `"norms"` (lengths of the weight vectors,
            repeated for each sample, (batch, classes)).
    """
    return keras.Model(model.input, {name: _output(model, name) for name in names})


def resized(model, side):
    """Returns a model of the same layers for images of another size.

    Args:
        model: a functional model.
        side: as `tfcil.layers.augmentation.resize` takes it.

    Raises:
        UserError: where the layers are bound to one size.
    """
    if side is None:
        return model
    shape = resized_shape(model.input.shape[1:], side)
    try:
        return keras.models.clone_model(
            model, input_tensors=keras.Input(shape), clone_function=lambda layer: layer
        )
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"Expected a network that takes images of any size ({reason:.200}). "
            f"Received: sides with {side}"
        ) from None


def _output(model, name):
    if name == "maps":
        numbered = (layer for layer in model.layers if layer.name.startswith(MAP))
        return [one.output for one in numbered if one.name.removeprefix(MAP).isdigit()]
    if name in ("scores", "scale", "norms"):
        return _PartOfHead(name, model.get_layer(LOGITS))(model.get_layer(FEATURES).output)
    return model.get_layer(name).output


class _PartOfHead(keras.layers.Layer):
    """Computes the scores of a cosine head, or repeats its scale or a head's norms per sample."""

    def __init__(self, part, head):
        super().__init__(dtype=head.dtype_policy)
        self.part, self.head = part, head

    def call(self, features):
        if self.part == "scores":
            return self.head.similarities(features)
        part = self.head.scale if self.part == "scale" else self._norms()
        return part * keras.ops.ones_like(features[:, :1], dtype="float32")

    def _norms(self):
        squares = keras.ops.sum(keras.ops.square(self.head.kernel), axis=0)
        # The length of a vector of zeros has no slope.
        return keras.ops.sqrt(keras.ops.maximum(squares, 1e-24))
