"""What the Keras `Loss` classes of tfcil have in common."""

import keras

from tfcil.losses.numerics import working_dtype


class Loss(keras.losses.Loss):
    """Base of the losses here: works in float32 or wider, and keeps its dtype when saved.

    In a narrower type the labels would already be wrong: bfloat16 has no 257.
    """

    def __init__(self, name, reduction, dtype):
        policy = keras.dtype_policies.get(dtype or keras.config.floatx())
        dtype = working_dtype(policy.compute_dtype)
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def get_config(self):
        return {**super().get_config(), "dtype": self.dtype}
