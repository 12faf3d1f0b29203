"""Names that a person may write, and the nearest one to what they wrote.

They stand here, and not with what they name, because params.yaml is checked without Keras.
"""

import difflib
from collections.abc import Iterable

from tfcil.errors import UserError

OWN_BACKBONES = (
    "simple_cnn",
    "resnet20",
    "resnet32",
    "resnet32_lucir",
    "resnet32_rebuffi",
    "resnet18",
)
# fmt: off
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


def nearest(name, known: Iterable[str]) -> str:
    """Returns `" (did you mean X?)"` for the known name most like `name`, or an empty string."""
    close = difflib.get_close_matches(str(name), [str(one) for one in known], n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def check_backbone(name: str) -> str:
    """Returns the name of a backbone, if it is one; otherwise raises `UserError`.

    Networks of `keras.applications` are known in any case and with or without underscores.
    """
    plain = name.lower().replace("_", "")
    if name not in OWN_BACKBONES and plain not in {one.lower() for one in APPLICATIONS}:
        raise UserError(
            f"expected one of {', '.join(OWN_BACKBONES)}, or a network of keras.applications"
            f"{nearest(name, [*OWN_BACKBONES, *APPLICATIONS])}. Received: backbone={name}"
        )
    return name
