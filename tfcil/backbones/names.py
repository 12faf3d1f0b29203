"""The names of the backbones, without Keras: params.yaml is checked before Keras is loaded."""

from tfcil.errors import UserError, nearest, shown

# fmt: off
OWN_BACKBONES = (
    "simple_cnn", "resnet20", "resnet32", "resnet32_lucir", "resnet32_rebuffi", "resnet18",
)
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


def check_backbone(name: str) -> str:
    """Returns `name`; raises a `UserError` if no backbone has that name.

    Upper case and underscores do not matter in the names of `keras.applications`.
    """
    plain = name.lower().replace("_", "")
    if name not in OWN_BACKBONES and plain not in {one.lower() for one in APPLICATIONS}:
        raise UserError(
            f"expected one of {', '.join(OWN_BACKBONES)}, or a network of keras.applications"
            f"{nearest(name, [*OWN_BACKBONES, *APPLICATIONS])}. Received: backbone={shown(name)}"
        )
    return name
