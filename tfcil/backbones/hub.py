"""The image backbones of keras-hub, with the preprocessing each was published with inside."""

import keras
from keras import layers

from tfcil.backbones.parts import copied_onto
from tfcil.errors import UserError

# Networks whose first token stands for the whole image; ViTBackbone says so itself.
CLASS_TOKEN = ("DINOV2Backbone", "DINOV3Backbone", "DeiTBackbone")


def hub_layers(inputs, preset, weights=None):
    """Applies a backbone of keras-hub, layer by layer.

    Features are the mean of a map, the class token of a vision transformer, or the mean of its
    tokens where it has none.

    Args:
        inputs: (batch, height, width, 3) raw images of 0..255.
        preset: its name, as `keras_hub.models.Backbone.from_preset` takes it.
        weights: `"preset"`, or None: random ones.

    Returns:
        `{"maps": [...], "features": (batch, d)}`; the names of its layers begin with `own_`. A
        saved model opens where keras-hub is installed, if the backbone has layers of keras-hub.

    Raises:
        UserError: keras-hub is missing, does not know the preset or cannot load it, or the network
            does not take such images.
    """
    received = f"model.backbone=hub:{preset}"
    try:
        import keras_hub
    except ImportError as error:
        raise UserError(
            f"model.backbone: hub: needs keras-hub ({error}): pip install 'tfcil[hub]'. "
            f"Received: {received}"
        ) from None
    try:
        backbone = keras_hub.models.Backbone.from_preset(
            preset, load_weights=weights is not None, image_shape=tuple(inputs.shape[1:])
        )
        converter = keras_hub.layers.ImageConverter.from_preset(preset)
    except Exception as error:  # whatever keras-hub and the network raise
        reason = f"{' '.join(str(error).split()):.200}"
        raise UserError(
            f"model.backbone: expected an image backbone that keras-hub can load ({reason}). "
            f"Received: {received}"
        ) from None
    scale, offset = (1.0 if converter.scale is None else converter.scale), converter.offset or 0.0
    options = {"dtype": "float32", "name": "preprocess_rescaling"}
    x = layers.Rescaling(scale, offset, **options)(inputs)
    network = keras.Model(backbone.inputs[0], _features(backbone))
    return copied_onto(x, network, received)


def _features(backbone):
    x = backbone.outputs[0]
    if len(x.shape) != 3:
        return x
    has_token = type(backbone).__name__ in CLASS_TOKEN
    if getattr(backbone, "use_class_token", has_token):
        x = layers.Cropping1D((0, x.shape[1] - 1), name="class_token")(x)
    return layers.GlobalAveragePooling1D(name="tokens_pool")(x)
