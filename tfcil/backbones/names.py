"""The names of the backbones, without Keras: params.yaml is checked before Keras is loaded."""

from tfcil.errors import UserError, nearest, shown

# fmt: off
OWN_BACKBONES = (
    "simple_cnn", "resnet20", "resnet32", "resnet32_lucir", "resnet32_rebuffi", "resnet18",
)
PRETRAINED = ("efficientnet_lite0",)
APPLICATIONS = (
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge",
    "DenseNet121", "DenseNet169", "DenseNet201", "EfficientNetB0", "EfficientNetB1",
    "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5", "EfficientNetB6",
    "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2",
    "EfficientNetV2B3", "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S",
    "InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large",
    "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet101", "ResNet101V2", "ResNet152",
    "ResNet152V2", "ResNet50", "ResNet50V2", "VGG16", "VGG19", "Xception",
)
# fmt: on
FILE = ".keras"
HUB = "hub:"


def check_backbone(name: str) -> str:
    """Returns `name`; raises a `UserError` if no backbone has that name.

    Upper case and underscores do not matter in the names of `keras.applications`. Whether a file
    or a preset of keras-hub exists is not checked.
    """
    ours, plain = (*OWN_BACKBONES, *PRETRAINED), name.lower().replace("_", "")
    is_application = plain in {one.lower() for one in APPLICATIONS}
    if name not in ours and not is_application and not is_file(name) and not is_hub(name):
        raise UserError(
            f"expected one of {', '.join(ours)}, a network of keras.applications, a file "
            f"*{FILE}, or {HUB}PRESET of keras-hub{nearest(name, [*ours, *APPLICATIONS])}. "
            f"Received: backbone={shown(name)}"
        )
    return name


def is_file(name: str) -> bool:
    """Tells whether a backbone is named by the path of a `.keras` file."""
    return name.endswith(FILE)


def is_hub(name: str) -> bool:
    """Tells whether a backbone is a preset of keras-hub, `hub:PRESET`."""
    return name.startswith(HUB) and name != HUB


def known_weights(name: str) -> str | None:
    """Returns the pretrained weights that can be asked for; None: there are none to choose."""
    if name in OWN_BACKBONES or is_file(name):
        return None
    return "preset" if is_hub(name) else "imagenet"
