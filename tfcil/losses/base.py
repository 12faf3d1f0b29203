"""The base of tfcil's Keras losses."""

import keras

from tfcil.losses.numerics import working_dtype


class Loss(keras.losses.Loss):
    """A Keras loss that computes in float32 or wider and saves its dtype.

    Keras casts the labels to the loss's dtype too, and half precision can't hold them: label 257
    becomes 256 in bfloat16.
    """

    def __init__(self, name, reduction, dtype):
        policy = keras.dtype_policies.get(dtype or keras.config.floatx())
        dtype = working_dtype(policy.compute_dtype)
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def get_config(self):
        return {**super().get_config(), "dtype": self.dtype}
