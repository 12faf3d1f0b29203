"""Values and gradients are the official implementations', in float64 on TensorFlow."""

import oracle_cases
import pytest
import tensorflow as tf


@pytest.mark.parametrize("name", oracle_cases.ALL)
def test_official_values_and_gradients(name, oracle):
    cases = list(oracle_cases.ALL[name](oracle))
    assert cases
    for case in cases:
        inputs = [tf.constant(array, "float64") for array in case.inputs]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = case.loss(*inputs)
        assert value.dtype == tf.float64
        zero = tf.UnconnectedGradients.ZERO
        oracle_cases.check(case, value, tape.gradient(value, inputs, unconnected_gradients=zero))
