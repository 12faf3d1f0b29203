"""Opens the last model of a finished run as somebody does who has Keras and no tfcil.

Usage: python plain_keras.py FOLDER. Prints as JSON what a test compares with what the run wrote.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

folder = Path(sys.argv[1])
model = keras.models.load_model(folder / "models" / "01.keras")
tests = [folder / "data" / "test" / task for task in ("00", "01")]
images = np.concatenate([np.load(test / "images.npy") for test in tests])
labels = np.concatenate([np.load(test / "labels.npy") for test in tests])
logits, of_floats = (
    model.predict(images.astype(dtype), batch_size=len(images), verbose=0)
    for dtype in ("uint8", "float32")
)
predicted = logits.argmax(axis=1)
confusion = np.zeros((6, 6), int)
np.add.at(confusion, (labels, predicted), 1)
seen = {
    "tfcil": [name for name in sys.modules if name.startswith("tfcil")],
    "images": [str(images.dtype), *images.shape],
    "logits": logits.shape,
    "difference_of_floats": float(np.abs(logits - of_floats).max()),
    "last_layers": [layer.name for layer in model.layers[-2:]],
    "last_shapes": [layer.output.shape for layer in model.layers[-2:]],
    "correct": [int((predicted == labels)[labels // 3 == task].sum()) for task in (0, 1)],
    "confusion": confusion.tolist(),
}
print(json.dumps(seen))
