"""A classifier in the form that somebody else needs: raw images in, probabilities and names out."""

FORMATS = ("keras", "savedmodel", "onnx", "tflite")
