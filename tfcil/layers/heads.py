"""Cosine heads of classifiers, with one weight vector per class or several."""

import numbers

import keras
from keras import ops

from tfcil.errors import UserError
from tfcil.losses.numerics import unit_vectors, working_dtype

SIMILARITIES = ("released", "cosine")


@keras.saving.register_keras_serializable(package="tfcil")
class CosineDense(keras.layers.Layer):
    """Computes scale * cos(features, weight vector of the class): a dense head without bias.

    `kernel` is (d, units), initialised from U(-1/sqrt(d), 1/sqrt(d)); `scale` is one learned
    number, initialised to 1. Computes and returns the dtype of the weights, or float32 if they
    are narrower: half precision is too coarse for a cosine.

    Args:
        units: number of classes.
        seed: seed of the kernel's initializer; None draws one from Keras's global seed.
        **kwargs: options of `keras.layers.Layer`.

    Input: features, (batch, d). Output: logits, (batch, units).

    Raises:
        UserError: `units` is not a positive integer.

    Reference:
        Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
    """

    proxies = 1  # weight vectors per class

    def __init__(self, units, seed=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.units = _positive_integer("units", units)
        self.seed = seed
        self.input_spec = keras.layers.InputSpec(ndim=2)

    def build(self, input_shape):
        dimension = input_shape[-1]
        self.input_spec = keras.layers.InputSpec(ndim=2, axes={-1: dimension})
        bound = dimension**-0.5
        self.kernel = self.add_weight(
            name="kernel",
            shape=(dimension, self.units * self.proxies),
            initializer=keras.initializers.RandomUniform(-bound, bound, seed=self.seed),
            autocast=False,
        )
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones", autocast=False)

    def cosines(self, features):
        """Computes the cosine of each sample with each weight vector, (batch, units * proxies).

        Raises:
            UserError: `features` is a `KerasTensor`.
        """
        if keras.backend.is_keras_tensor(features):
            # Outside `call`, Keras would put the current weights into the model as constants.
            raise UserError(
                "features must be a tensor with values, as in a training step or in `call`; a "
                f"functional model can't contain similarities. Received: features={features}"
            )
        kernel = unit_vectors(self._precise(self.kernel), axis=0)
        return ops.matmul(unit_vectors(self._precise(features)), kernel)

    def similarities(self, features):
        """Computes the logits before the scale, (batch, units): the scores of margin ranking."""
        return self.cosines(features)

    def call(self, features):
        return self._precise(self.scale) * self.similarities(features)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "seed": self.seed}

    def _precise(self, x):
        return ops.cast(x, working_dtype(self.variable_dtype))


@keras.saving.register_keras_serializable(package="tfcil")
class LocalSimilarity(CosineDense):
    """Computes PODNet's local similarity classifier: several weight vectors, proxies, per class.

    The logit of a class is scale * sum_k softmax_k(gamma * s_k) s_k, where s_k is the similarity
    of the features and the class's k-th proxy. `kernel` is (d, units * proxies); proxy k of class
    c is column c * proxies + k. `scale` is one learned number, initialised to 1.

    Args:
        units: number of classes.
        proxies: proxies per class.
        similarity: "released" is s = 2 cos - 2, the negative squared distance of the unit vectors,
            as in the authors' configuration; "cosine" is s = cos, as in the paper. The classifiers
            differ: "released" doubles the slope inside the softmax over proxies.
        gamma: sharpness of the softmax over the proxies, positive.
        seed: seed of the kernel's initializer; None draws one from Keras's global seed.
        **kwargs: options of `keras.layers.Layer`.

    Input: features, (batch, d). Output: logits, (batch, units).

    Raises:
        UserError: an argument is not as described.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), and the authors' code.
    """

    def __init__(self, units, proxies=10, similarity="released", gamma=1.0, seed=None, **kwargs):
        super().__init__(units, seed=seed, **kwargs)
        if similarity not in SIMILARITIES:
            raise UserError(
                f"similarity must be one of {SIMILARITIES}. Received: similarity={similarity!r}"
            )
        if not gamma > 0:
            raise UserError(f"gamma must be positive. Received: gamma={gamma!r}")
        self.proxies = _positive_integer("proxies", proxies)
        self.similarity = similarity
        self.gamma = float(gamma)

    def similarities(self, features):
        """Computes the logits before the scale, (batch, units)."""
        raw = ops.reshape(self.cosines(features), (-1, self.units, self.proxies))
        if self.similarity == "released":
            raw = 2 * raw - 2
        # `ops.softmax` would warn if a class has a single proxy.
        weights = ops.exp(ops.log_softmax(self.gamma * raw, axis=-1))
        return ops.sum(weights * raw, axis=-1)

    def get_config(self):
        own = {name: getattr(self, name) for name in ("proxies", "similarity", "gamma")}
        return {**super().get_config(), **own}


def _positive_integer(name, value):
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1:
        raise UserError(f"{name} must be a positive integer. Received: {name}={value!r}")
    return int(value)
