"""Preprocessing, classifier and softmax in TensorFlow operations that every converter supports."""

import keras
import tensorflow as tf

from tfcil.classifier.fused_batch_norm import fuse_batch_norm


class Served:
    """A `tfcil.predict.Classifier` that resizes images and returns probabilities."""

    def __init__(self, classifier):
        self.shape = tuple(classifier.model.input.shape[1:])
        self.names = classifier.names
        self.model = fuse_batch_norm(_in_float32(classifier.model))
        self._resize = classifier.resize

    def probabilities(self, images):
        """Computes (batch, classes) float32 from (batch, height, width, channels) uint8 images."""
        fitted = fitted_images(images, self.shape, self._resize)
        return tf.nn.softmax(self.model(fitted, training=False))

    def probabilities_of_files(self, encoded):
        """Computes (batch, classes) float32 from the contents of JPEG, PNG, GIF or BMP files."""
        spec = tf.TensorSpec(self.shape, tf.float32)
        images = tf.map_fn(self._decoded, encoded, fn_output_signature=spec)
        return tf.nn.softmax(self.model(images, training=False))

    def _decoded(self, encoded):
        image = tf.cond(
            tf.io.is_jpeg(encoded),
            # Pillow decodes this way; TensorFlow's default is faster and less exact.
            lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
            lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
        )
        image.set_shape((None, None, 3))
        image = _grey(image) if self.shape[-1] == 1 else image
        return fitted_images(image[None], self.shape, self._resize)[0]


def fitted_images(images, shape, how):
    """Resizes images as `tfcil.data.pictures.resize` does with Pillow.

    Args:
        images: (batch, height, width, channels) uint8.
        shape: (height, width, channels) of the result.
        how: `"stretch"` or `"crop"`.

    Returns:
        (batch, *shape) float32, rounded to whole numbers after each direction. Some pixels differ
        by 1 from Pillow's, which uses fractions of 22 bits and may start with the other direction.
    """
    height, width, channels = shape
    before = tf.shape(images)[1:3]
    after = tf.constant((height, width))
    if how == "crop":
        after = round(height * 256 / 224) * before // tf.reduce_min(before)
    # Half to even, as Python's `round`.
    first = tf.round(tf.cast(after - (height, width), tf.float32) / 2)
    rows, columns = (
        _weights(before[axis], after[axis], first[axis], shape[axis]) for axis in (0, 1)
    )
    # Two large matrix products instead of a small one per row of each image.
    planes = tf.cast(tf.transpose(images, (0, 3, 1, 2)), tf.float32)
    x = _rounded(tf.matmul(tf.reshape(planes, (-1, before[1])), columns, transpose_b=True))
    x = tf.reshape(x, (-1, channels, before[0], width))
    x = tf.reshape(tf.transpose(x, (0, 1, 3, 2)), (-1, before[0]))
    x = _rounded(tf.matmul(x, rows, transpose_b=True))
    return tf.transpose(tf.reshape(x, (-1, channels, width, height)), (0, 3, 2, 1))


def _weights(before, after, first, count):
    """Computes the weights of bilinear interpolation with antialiasing, (count, before).

    The centre of output pixel o is at (o + 1/2) / after of the picture's side, that of input pixel
    i at (i + 1/2) / before. A weight falls linearly with the distance of the centres and is 0 from
    the width of the larger pixel on. All positions are multiplied by 2 * before * after: whole
    numbers are exact in float32 up to 2**24.
    """
    before, after = tf.cast(before, tf.float32), tf.cast(after, tf.float32)
    there = (2 * (tf.range(count, dtype=tf.float32) + first) + 1) * before
    here = (2 * tf.range(before, dtype=tf.float32) + 1) * after
    weights = tf.nn.relu(2 * tf.maximum(before, after) - tf.abs(there[:, None] - here))
    return weights / tf.reduce_sum(weights, axis=1, keepdims=True)


def _rounded(x):
    return tf.floor(x + 0.5)


def _grey(image):
    """Computes the luma of ITU-R 601 in 16 bits, as Pillow does."""
    red, green, blue = tf.unstack(tf.cast(image, tf.int32), axis=-1)
    luma = (19595 * red + 38470 * green + 7471 * blue + 32768) // 65536
    return tf.cast(luma, tf.uint8)[..., None]


def _in_float32(model):
    """Copies a model with every layer in float32, as some runtimes have no bfloat16."""

    def changed(layer):
        if not isinstance(layer, keras.layers.Layer):  # an operation has no dtype to change
            return layer
        return type(layer).from_config(layer.get_config() | {"dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=changed)
    copy.set_weights(model.get_weights())
    return copy
