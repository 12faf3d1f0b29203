"""The adapter block of CaSE: one factor per channel, made of the images of a whole context."""

from keras import layers, ops

from tfcil.losses.numerics import working_dtype

REDUCTION, FEWEST_UNITS = 64, 16  # hidden units: a part of the channels, and no fewer
EPSILON = 1e-5


class ContextualScale(layers.Layer):
    """Multiplies each channel of a map by a factor between 0 and 2, computed from the whole batch.

    A network of three dense layers makes the factors of the context: the mean of each channel over
    the batch and its pixels, standardised over the channels. The last layer starts at 0, so a
    fresh block returns its input.

    Args:
        hidden_units: of the two hidden layers; None: a 64th of the channels, at least 16.
        standardize: whether the context is standardised.
        **kwargs: options of `keras.layers.Layer`.

    Input: (batch, height, width, channels). Output: the same.

    Reference:
        Patacchiola et al., "Contextual Squeeze-and-Excitation" (arXiv 2206.09843), and the
        authors' code.
    """

    def __init__(self, hidden_units=None, standardize=True, **kwargs):
        super().__init__(**kwargs)
        self.hidden_units, self.standardize = hidden_units, standardize

    def build(self, input_shape):
        channels = input_shape[-1]
        units = self.hidden_units or max(FEWEST_UNITS, channels // REDUCTION)
        # Half precision is too coarse for means of many pixels.
        self._precise = working_dtype(self.variable_dtype)
        hidden = {"units": units, "activation": "silu", "dtype": self._precise}
        last = {"units": channels, "activation": "sigmoid", "dtype": self._precise}
        self.dense = [
            layers.Dense(name="hidden1", **hidden),
            layers.Dense(name="hidden2", **hidden),
            layers.Dense(name="factors", kernel_initializer="zeros", **last),
        ]
        for layer, size in zip(self.dense, (channels, units, units), strict=True):
            layer.build((1, size))

    def factors(self, context):
        """Computes the factor of each channel, (channels,), float32 or of more bits.

        Args:
            context: (channels,), the mean of each channel over all images and pixels.
        """
        x = ops.cast(context, self._precise)[None]
        if self.standardize:
            x = x - ops.mean(x, axis=-1, keepdims=True)
            variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
            x = x / ops.sqrt(variance + EPSILON)
        for layer in self.dense:
            x = layer(x)
        return 2.0 * x[0]

    def call(self, inputs):
        context = ops.mean(ops.cast(inputs, self._precise), axis=(0, 1, 2))
        return inputs * ops.cast(self.factors(context), inputs.dtype)

    def get_config(self):
        own = {"hidden_units": self.hidden_units, "standardize": self.standardize}
        return {**super().get_config(), **own}
