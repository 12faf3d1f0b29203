"""The nearest mean of exemplars (NME), as iCaRL predicts."""

import numpy as np

from tfcil.errors import UserError
from tfcil.exemplars import class_means

NEEDS_MEMORY = True


def saved_form(model, memory):
    """Builds the model whose logits are cosines of the features with the mean of each class.

    The means are those of the exemplars' normalised features; the nearest mean has the largest
    cosine. The result has Keras's own layers and shares the backbone of `model`.

    Raises:
        UserError: a class has no exemplar.
    """
    # The command line reads NEEDS_MEMORY without waiting for Keras.
    import keras

    from tfcil.classifier import FEATURES, LOGITS, expose, forward

    num_classes = model.output.shape[-1]
    missing = np.flatnonzero(memory.counts(num_classes) == 0)
    if len(missing):
        raise UserError(
            f"Expected exemplars of each of the {num_classes} classes. "
            f"Received: none of class {missing[0]}"
        )
    features = forward(expose(model, FEATURES), memory.images)[FEATURES]
    means = class_means(features, memory.labels, num_classes)
    head = keras.layers.Dense(num_classes, use_bias=False, dtype="float32", name=LOGITS)
    x = model.get_layer(FEATURES).output
    x = head(keras.layers.UnitNormalization(dtype="float32", name="unit_features")(x))
    head.set_weights([means.T])
    return keras.Model(model.input, x, name=model.name)
