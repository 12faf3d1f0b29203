"""Writes a classifier in formats that need no tfcil: raw images in, probabilities and names out."""

import pkgutil

FORMATS = ("keras", "savedmodel", "onnx", "tflite")
# Rules that an exported model can predict by: the files in rules/.
RULES = tuple(sorted(found.name for found in pkgutil.iter_modules([f"{__path__[0]}/rules"])))
