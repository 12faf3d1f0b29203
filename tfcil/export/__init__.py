"""Exports a classifier to formats that need no tfcil: raw images in, probabilities out."""

import pkgutil

FORMATS = ("keras", "savedmodel", "onnx", "tflite")
# The rules that an exported model can predict by.
RULES = tuple(sorted(found.name for found in pkgutil.iter_modules([f"{__path__[0]}/rules"])))
