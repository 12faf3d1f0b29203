"""Networks from images to features: tfcil's own, and those of `keras.applications` by name."""

from tfcil.backbones.registry import apply, build, normalises_itself
from tfcil.backbones.resnets import resnet18, resnet20, resnet32, resnet32_rebuffi
from tfcil.backbones.simple_cnn import simple_cnn

__all__ = [
    "apply",
    "build",
    "normalises_itself",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet32_rebuffi",
    "simple_cnn",
]
