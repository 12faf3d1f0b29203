"""The heads, in the trained and in the saved form.

A linear head is a Keras `Dense` in both forms. A cosine head is trained as a layer of tfcil, and
saved as layers of Keras with the same logits, so that the file opens without tfcil: the products of
unit features and weight vectors, divided by the vectors' lengths, pooled over the proxies of a
class, times the scale.
"""

import keras
import numpy as np
from keras import ops

from tfcil.classifier.model import FEATURES, LOGITS, num_classes
from tfcil.errors import UserError
from tfcil.layers.heads import CosineDense, LocalSimilarity

PRODUCTS = "products"


def head_layer(head, units):
    """Makes the layer of a `Head` in the trained form, for `units` classes."""
    options = {"dtype": "float32", "name": LOGITS}
    if head.kind == "cosine":
        return CosineDense(units, **options)
    if head.kind == "local_similarity":
        return LocalSimilarity(units, head.proxies, **options)
    return keras.layers.Dense(units, **options)


def read_head(head, model):
    """Reads the weights of the head of a saved classifier.

    Args:
        head: the `Head` that it should have.
        model: the classifier.

    Returns:
        The kernel (d, classes * proxies), and the bias (classes,) of a linear head or the scale of
        a cosine head.

    Raises:
        UserError: the model's head is of another kind.
    """
    names = {layer.name for layer in model.layers}
    vectors = model.get_layer(PRODUCTS).kernel.shape[-1] if PRODUCTS in names else None
    expected = None if head.kind == "linear" else head.proxies * num_classes(model)
    if vectors != expected:
        found = "a linear head" if vectors is None else "a head of similarities"
        raise UserError(
            f"Expected a model with a {head.kind} head ({head.proxies} per class): train the "
            f"first task with the same method. Received: {found}"
        )
    if vectors is None:
        return model.get_layer(LOGITS).get_weights()
    return model.get_layer(PRODUCTS).get_weights()[0], np.float32(model.get_layer(LOGITS).scale)


def plain(model, shift=None):
    """Returns the classifier in the saved form, of Keras's layers only.

    Args:
        model: the classifier in the trained form; the result shares its backbone.
        shift: (classes,), added to the logits; or `None`.
    """
    head = model.get_layer(LOGITS)
    if isinstance(head, keras.layers.Dense):
        if shift is not None:
            kernel, bias = head.get_weights()
            head.set_weights([kernel, bias + np.asarray(shift, bias.dtype)])
        return model
    if not isinstance(head, CosineDense):
        return model  # in the saved form already
    kernel, scale = head.get_weights()
    x = model.get_layer(FEATURES).output
    x = keras.layers.UnitNormalization(dtype="float32", name="unit_features")(x)
    products = keras.layers.Dense(kernel.shape[1], use_bias=False, dtype="float32", name=PRODUCTS)
    cosines = keras.layers.EinsumDense(
        "bc,c->bc", output_shape=[kernel.shape[1]], dtype="float32", name="cosines"
    )
    x = cosines(products(x))
    products.set_weights([kernel])
    cosines.set_weights([1 / np.linalg.norm(kernel, axis=0)])
    if isinstance(head, LocalSimilarity):
        x = _pooled(x, head)
    offset = 0.0 if shift is None else [float(one) for one in shift]
    x = keras.layers.Rescaling(float(scale), offset, dtype="float32", name=LOGITS)(x)
    return keras.Model(model.input, x, name=model.name)


def _pooled(cosines, head):
    """Pools the proxies of each class as `LocalSimilarity` does, in symbolic operations."""
    x = keras.layers.Reshape((head.units, head.proxies), dtype="float32", name="proxies")(cosines)
    if head.similarity == "released":
        x = keras.layers.Rescaling(2.0, -2.0, dtype="float32", name="similarities")(x)
    weights = ops.exp(ops.log_softmax(head.gamma * x, axis=-1))
    return ops.sum(weights * x, axis=-1)
