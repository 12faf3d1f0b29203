"""Writes a classifier with preprocessing, softmax and class names, a function for each format."""

import json
import tempfile
import zipfile

import keras

from tfcil.classifier import save_classifier
from tfcil.errors import UserError

INPUT, OUTPUT, NAMES = "images", "probabilities", "names"
NAMES_FILE = "names.json"


def write_keras(classifier, path) -> None:
    """Writes a `.keras` file of Keras's own layers, with the names in its member names.json."""
    height, width, channels = classifier.model.input.shape[1:]
    inputs = keras.Input((None, None, channels), name=INPUT)
    options = {"antialias": True, "name": "resized", "dtype": "float32"}
    if classifier.resize == "stretch":
        x = keras.layers.Resizing(height, width, **options)(inputs)
    else:
        larger = round(height * 256 / 224)
        x = keras.layers.Resizing(larger, larger, crop_to_aspect_ratio=True, **options)(inputs)
        x = keras.layers.CenterCrop(height, width, dtype="float32", name="cropped")(x)
    # Without a `training` argument a call of `Resizing` sets what follows it to training.
    logits = classifier.model(x, training=False)
    outputs = keras.layers.Softmax(dtype="float32", name=OUTPUT)(logits)
    model = keras.Model(inputs, outputs, name="classifier")
    # Keras compiles with XLA on a GPU, which cannot resize with antialiasing.
    model.compile("sgd", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    save_classifier(model, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(NAMES_FILE), json.dumps(classifier.names))


def write_savedmodel(classifier, path) -> None:
    """Writes a folder for `tf.saved_model.load` and TensorFlow Serving.

    Its signatures `serving_default` (images: (batch, height, width, channels) uint8 of any size)
    and `serving_files` (files: (batch,) strings, contents of JPEG or PNG files) return
    `probabilities` and `names`, both (batch, classes).
    """
    import tensorflow as tf

    from tfcil.export.serving import Served

    served = Served(classifier)

    def answer(probabilities):
        # TensorFlow Serving expects a row per image.
        names = tf.tile(tf.constant(served.names)[None], (tf.shape(probabilities)[0], 1))
        return {OUTPUT: probabilities, NAMES: names}

    def of_images(images):
        return answer(served.probabilities(images))

    def of_files(files):
        return answer(served.probabilities_of_files(files))

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", of_images, [_images(served)])
    files = tf.TensorSpec((None,), tf.string, name="files")
    archive.add_endpoint("serving_files", of_files, [files])
    archive.write_out(str(path), verbose=False)


def write_onnx(classifier, path) -> None:
    """Writes an ONNX file: images -> probabilities; the names are JSON in its metadata."""
    import onnx
    import tensorflow as tf
    import tf2onnx

    function, signature = _function(classifier)
    model, _ = tf2onnx.convert.from_function(
        tf.function(function, input_signature=signature), signature, opset=18
    )
    model.metadata_props.add(key=NAMES, value=json.dumps(classifier.names))
    onnx.checker.check_model(model)  # tf2onnx keeps operations that it cannot convert
    path.write_bytes(model.SerializeToString())


def write_tflite(classifier, path) -> None:
    """Writes a LiteRT file: images -> probabilities; the names are the file labels.txt in it."""
    import tensorflow as tf

    broken = [name for name in classifier.names if len(name.splitlines()) != 1]
    if broken:
        raise UserError(
            "labels.txt in a LiteRT file has a line for each class. "
            f"Received: class name={broken[0]!r}"
        )
    function, signature = _function(classifier)
    with tempfile.TemporaryDirectory() as folder:
        archive = keras.export.ExportArchive()
        archive.add_endpoint("serving_default", function, signature)
        archive.write_out(folder, verbose=False)
        path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())
    # The metadata of LiteRT models are a zip archive after the model.
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo("labels.txt"), "".join(f"{n}\n" for n in classifier.names))


def _function(classifier):
    from tfcil.export.serving import Served

    served = Served(classifier)
    return lambda images: {OUTPUT: served.probabilities(images)}, [_images(served)]


def _images(served):
    import tensorflow as tf

    return tf.TensorSpec((None, None, None, served.shape[-1]), tf.uint8, name=INPUT)
