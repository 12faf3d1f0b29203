"""Reproducible arithmetic."""

import keras


def make_deterministic() -> None:
    """Has the backend give the same bytes twice, at the cost of some speed."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
