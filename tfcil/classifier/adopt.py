"""Makes a classifier, with the layers `features` and `logits`, of any other Keras model."""

import re

import keras
import numpy as np
from keras import ops

from tfcil.classifier.growth import BRANCH, copied, layers_by_path
from tfcil.classifier.heads import PRODUCTS
from tfcil.classifier.model import FEATURES, LOGITS, MAP
from tfcil.errors import UserError

RESERVED = re.compile(rf"{FEATURES}|{FEATURES}{BRANCH}.*|{LOGITS}|{PRODUCTS}|auxiliary|{MAP}\d+")
EXPECTED = "Expected a Keras classifier that ends with a Dense layer and its softmax, or its logits"


def adopted(model):
    """Makes a classifier that can learn more classes of a Keras model with a Dense head.

    Args:
        model: a `keras.Model` from images to the logits, probabilities or log probabilities of at
            least two classes that exclude each other. It does not change.

    Returns:
        A new `keras.Model` with copies of the layers, from the same images to logits.

    Raises:
        UserError: the model has another end, or layers that cannot be copied or saved.
    """
    copy = _own_copy(model)
    dense, x = _dense_and_input(copy)
    _check_dense(dense, x)
    head = keras.layers.Dense(dense.units, dtype="float32", name=LOGITS)
    x = keras.layers.Identity(dtype="float32", name=FEATURES)(x)
    classifier = keras.Model(copy.input, head(x), name="classifier")
    bias = dense.bias if dense.use_bias else np.zeros(dense.units)
    head.set_weights([ops.convert_to_numpy(one) for one in (dense.kernel, bias)])
    _check_same(classifier, model)
    return classifier


def adopted_backbone(model):
    """Makes a classifier without classes of a `keras.Model` from images to (batch, d) features.

    Raises:
        UserError: the model has another end, or layers that cannot be copied or saved.
    """
    copy = _own_copy(model)
    if len(copy.output.shape) != 2:
        raise UserError(
            "Expected a backbone from images to features of shape (batch, d): end it with a pooling"
            f" or Flatten layer. Received: backbone={model.name}, output shape={copy.output.shape}"
        )
    features = keras.layers.Identity(dtype="float32", name=FEATURES)(copy.output)
    return keras.Model(copy.input, features, name="classifier")


def head_and_features(model):
    """Finds the Dense layer that ends a Keras classifier, and what it is applied to.

    Args:
        model: a `keras.Model` from one input to the logits, probabilities or log probabilities of
            at least two classes that exclude each other.

    Returns:
        The `keras.layers.Dense`, and a `keras.Model` from the same input to its (batch, d) inputs.
        Both share the layers of the model.

    Raises:
        UserError: the model has another end.
    """
    _check_graph(model)
    same = _same(model)
    dense, x = _dense_and_input(same)
    _check_dense(dense, x)
    return dense, keras.Model(same.input, x)


def _own_copy(model):
    """Copies the graph of a model and renames layers whose names tfcil reserves."""
    _check_graph(model)
    _check_images(model)
    _check_layers(model)
    same = _same(model)
    taken = {layer.name for layer in same.layers}
    name = _free("image", taken)
    try:
        copy = copied(same, keras.Input(same.input.shape[1:], dtype=same.input.dtype, name=name))
    except (ValueError, TypeError, NotImplementedError) as error:
        raise UserError(
            f"Expected a model that Keras can clone ({' '.join(str(error).split())[:200]}). "
            f"Received: model={model.name}"
        ) from None
    for layer in copy.layers[1:]:
        if RESERVED.fullmatch(layer.name):
            layer.name = _free(f"own_{layer.name}", taken)
            taken.add(layer.name)
    return copy


def _same(model):
    """Returns the model with one tensor in and one out, instead of a dictionary or list of one."""
    return keras.Model(model.inputs[0], model.outputs[0])


def _free(name, taken):
    while name in taken:
        name += "_"
    return name


def _check_graph(model):
    """Raises a `UserError` unless the model is a graph from one input to one output."""
    if not isinstance(model, keras.Model) or not getattr(model, "outputs", None):
        kind = "not built yet" if isinstance(model, keras.Sequential) else type(model).__name__
        raise UserError(
            "Expected a built keras.Model, Sequential or functional; a subclass of keras.Model "
            f"without a graph of layers cannot be taken apart. Received: model={kind}"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise UserError(
            "Expected a model with one input and one output. "
            f"Received: {len(model.inputs)} inputs, {len(model.outputs)} outputs"
        )


def _check_images(model):
    if len(model.inputs[0].shape) != 4:
        raise UserError(
            "Expected a model of images (batch, height, width, channels). "
            f"Received: input shape={model.inputs[0].shape}"
        )


def _check_layers(model):
    """Raises a `UserError` unless plain Keras can open the layers, and train them."""
    for path, layer in layers_by_path(model):
        _check_layer(path, layer)


def _check_layer(path, layer):
    kind = type(layer)
    if isinstance(layer, keras.layers.Lambda):
        raise UserError(
            "Expected layers without Python code inside: a Lambda layer does not open safely "
            f"elsewhere, replace it by a layer of Keras. Received: layer={path}"
        )
    is_keras = kind.__module__.split(".")[0] == "keras"
    is_registered = keras.saving.get_registered_name(kind) != kind.__name__
    if not (is_keras or is_registered or isinstance(layer, keras.Model)):
        raise UserError(
            "Expected layers of Keras, or registered ones (@keras.saving."
            f"register_keras_serializable()). Received: layer={path} ({kind.__name__})"
        )
    if getattr(layer, "quantization_mode", None):
        raise UserError(
            "Expected the model before its quantization: quantized layers cannot be trained. "
            f"Received: layer={path} ({layer.quantization_mode})"
        )


def _dense_and_input(model):
    """Finds the Dense layer that ends a model or the nested model at its end, and its input."""
    last = model.operations[-1]
    if isinstance(last, keras.layers.Dense):
        return last, _applied_to(last)
    if _only_normalises(last):
        return _dense_and_input(keras.Model(model.input, _applied_to(last)))
    if isinstance(last, keras.Model):
        dense, x = _dense_and_input(_same(last))
        if x is last.inputs[0]:
            return dense, _applied_to(last)
        return dense, keras.Model(last.inputs[0], x, name=last.name)(_applied_to(last))
    raise UserError(f"{EXPECTED}. Received: last layer={last.name} ({type(last).__name__})")


def _applied_to(operation):
    """Returns the input of an operation in the graph; a nested model's `input` is inside it."""
    return operation._inbound_nodes[0].input_tensors[0]


def _only_normalises(operation):
    """Tells whether an operation is a softmax over the classes, or the identity."""
    if isinstance(operation, keras.layers.Activation):
        return _activation(operation) in ("softmax", "log_softmax", "linear")
    if type(operation).__name__ in ("Softmax", "LogSoftmax"):
        return operation.axis in (-1, 1)
    return isinstance(operation, keras.layers.Identity)


def _activation(layer):
    return getattr(layer.activation, "__name__", str(layer.activation))


def _check_dense(dense, x):
    activation = _activation(dense)
    is_known = activation in ("linear", "softmax", "log_softmax")
    if not is_known or dense.units < 2 or len(x.shape) != 2:
        raise UserError(
            f"{EXPECTED}, one per class, two classes at least, of features of shape (batch, d). "
            f"Received: layer={dense.name} of {x.shape}, {dense.units} outputs, "
            f"activation={activation}"
        )


def _check_same(classifier, model):
    """Compares the outputs on two images: a layer may have state that Keras does not copy."""
    shape = [2, *(side or 64 for side in classifier.input.shape[1:])]
    dtype = model.inputs[0].dtype
    # Small values: where logits are large and rounded, the softmax can jump to another class.
    largest = 1 if "float" in dtype else 255
    images = ops.cast(np.random.default_rng(0).uniform(0, largest, shape), dtype)
    logits = classifier(images, training=False)
    answers = _same(model)(images, training=False)
    expected = ops.convert_to_numpy(ops.cast(answers, "float32"))
    policies = {layer.compute_dtype for _, layer in layers_by_path(model)}
    tolerance = 0.05 if {"bfloat16", "float16"} & policies else 1e-3
    tolerance *= max(np.abs(expected).max(), 1.0)
    forms = map(ops.convert_to_numpy, (logits, ops.softmax(logits), ops.log_softmax(logits)))
    if not any(np.allclose(form, expected, rtol=0, atol=tolerance) for form in forms):
        raise UserError(
            "Expected a model whose copy gives the same answers: one of its layers holds what "
            f"Keras does not copy. Received: model={model.name}"
        )
