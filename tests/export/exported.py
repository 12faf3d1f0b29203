"""Loads exports as somebody does who has no tfcil, and writes what they answer.

Usage: python exported.py FORMAT FOLDER. For each FOLDER/CASE.npz, whose arrays are batches of
images, FOLDER/CASE is loaded, and the probabilities of each batch are written to
FOLDER/FORMAT/CASE.npz, and the class names to CASE.json beside it. An array of bytes holds contents
of image files.
"""

import sys
import zipfile
from pathlib import Path

sys.modules["tfcil"] = None  # whoever imports it gets an ImportError

import json  # noqa: E402

import numpy as np  # noqa: E402


def load_keras(path):
    import keras

    model = keras.models.load_model(f"{path}.keras")
    names = json.loads(zipfile.ZipFile(f"{path}.keras").read("names.json"))
    return lambda images: model.predict(images, verbose=0), names


def load_savedmodel(path):
    import tensorflow as tf

    signatures = tf.saved_model.load(path).signatures
    names = []

    def run(images):
        if images.dtype.kind == "S":
            answer = signatures["serving_files"](files=tf.constant(images.tolist()))
        else:
            answer = signatures["serving_default"](images=tf.constant(images))
        for row in answer["names"].numpy():
            names[:] = [name.decode() for name in row]
        return answer["probabilities"].numpy()

    return run, names


def load_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(f"{path}.onnx")
    names = json.loads(session.get_modelmeta().custom_metadata_map["names"])
    return lambda images: session.run(["probabilities"], {"images": images})[0], names


def load_tflite(path):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(f"{path}.tflite").get_signature_runner()
    names = zipfile.ZipFile(f"{path}.tflite").read("labels.txt").decode().splitlines()
    return lambda images: run(images=images)["probabilities"], names


def main(kind, folder):
    load = {
        "keras": load_keras,
        "savedmodel": load_savedmodel,
        "onnx": load_onnx,
        "tflite": load_tflite,
    }[kind]
    for file in sorted(Path(folder).glob("*.npz")):
        run, names = load(str(file.with_suffix("")))
        with np.load(file) as batches:
            answers = {
                name: run(images)
                for name, images in batches.items()
                if images.dtype.kind != "S" or kind == "savedmodel"
            }
        (file.parent / kind).mkdir(exist_ok=True)
        np.savez(file.parent / kind / file.name, **answers)
        (file.parent / kind / f"{file.stem}.json").write_text(json.dumps(names))
    assert not [name for name in sys.modules if name.startswith("tfcil.")]


if __name__ == "__main__":
    main(*sys.argv[1:])
