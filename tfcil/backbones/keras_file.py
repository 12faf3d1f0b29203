"""A network of your own from a `.keras` file, without its classes and with its weights."""

import keras
from keras import layers

from tfcil.backbones.parts import copied_onto
from tfcil.errors import UserError, nearest, shown

# Factor and offset from pixels of 0..255 to the values that a file expects.
PIXELS = {"raw": (1.0, 0.0), "unit": (1 / 255, 0.0), "signed": (1 / 127.5, -1.0)}
SOFTMAX = ("softmax", "log_softmax", "sigmoid")


def file_layers(inputs, path, layer=None, pixels="raw"):
    """Applies a copy of the network in a file, layer by layer, with its weights.

    Args:
        inputs: (batch, height, width, channels) raw images of 0..255.
        path: of the file.
        layer: name of the layer whose output gives the features; None: the input of the Dense
            layer that ends a classifier, otherwise the output of the network.
        pixels: what the network takes: `"raw"` (0..255), `"unit"` (0..1) or `"signed"` (-1..1).

    Returns:
        `{"maps": [...], "features": (batch, d)}`; the names of the file's layers begin with `own_`.

    Raises:
        UserError: the file can't be opened, or its network does not fit.
    """
    network = _opened(path)
    if layer is None:
        features = _before_head(network)
        if features is None:
            raise UserError(
                "model.layer: expected the name of a layer, as no Dense layer comes before the "
                f"softmax that ends this network. Received: model.backbone={path}"
            )
    else:
        features = _output_of(layer, network, path)
    scale, offset = PIXELS[pixels]
    x = inputs
    if pixels != "raw":
        x = layers.Rescaling(scale, offset, dtype="float32", name="preprocess_rescaling")(inputs)
    return copied_onto(x, keras.Model(network.inputs[0], features), f"model.backbone={path}")


def _opened(path):
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras and the file raise
        raise UserError(
            "model.backbone: expected a file of a Keras model with Keras's own layers "
            f"({' '.join(str(error).split()):.200}). Received: model.backbone={path}"
        ) from None
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise UserError(
            "model.backbone: expected a network with one input and one output. Received: "
            f"{len(network.inputs)} inputs, {len(network.outputs)} outputs in {path}"
        )
    return keras.Model(network.inputs[0], network.outputs[0])


def _before_head(network):
    """Returns the input of the Dense layer that ends the network, otherwise the network's output.

    A softmax may follow the Dense layer, and a nested network may hold both. Returns None where a
    softmax follows anything else.
    """
    last, output = network.operations[-1], network.outputs[0]
    x = last._inbound_nodes[0].input_tensors[0]
    activation = getattr(getattr(last, "activation", None), "__name__", None)
    if isinstance(last, layers.Dense):
        return x if activation in ("linear", *SOFTMAX) else output
    if activation in SOFTMAX or isinstance(last, layers.Softmax):
        before = keras.Model(network.inputs[0], x)
        return _before_head(before) if isinstance(before.operations[-1], layers.Dense) else None
    if isinstance(last, keras.Model):
        inner = keras.Model(last.inputs[0], last.outputs[0])
        features = _before_head(inner)
        if features is not None and features is not inner.outputs[0]:
            return keras.Model(last.inputs[0], features, name=last.name)(x)
        return None if features is None else output
    return output


def _output_of(layer, network, path):
    known = [one.name for one in network.layers]
    if layer not in known:
        raise UserError(
            f"model.layer: expected a layer of {path}{nearest(layer, known)}. "
            f"Received: model.layer={shown(layer)}"
        )
    return network.get_layer(layer).output
