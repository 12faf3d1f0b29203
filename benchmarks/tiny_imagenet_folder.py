"""Writes 100 classes of Tiny ImageNet as an image folder, from two npz files of their JPEG bytes.

Such a file holds `jpeg`, the files one after the other; `offset`, where each begins and the last
ends; `label`, `filename`, and `wnid`, the name of each label.
"""

import argparse
from pathlib import Path

import numpy as np


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="folder with the npz files")
    parser.add_argument("target", type=Path, help="folder to write train/ and test/ into")
    arguments = parser.parse_args()
    for split, part in {"train": "train", "val": "test"}.items():
        with np.load(arguments.source / f"tiny_imagenet_100_{split}.npz") as stored:
            write(dict(stored), arguments.target / part)


def write(stored, folder):
    """Writes each file, byte for byte, into the folder of its class."""
    for wnid in stored["wnid"]:
        (folder / str(wnid)).mkdir(parents=True, exist_ok=True)
    offset = stored["offset"]
    for index, (name, label) in enumerate(zip(stored["filename"], stored["label"], strict=True)):
        file = folder / str(stored["wnid"][label]) / Path(str(name)).name
        file.write_bytes(stored["jpeg"][offset[index] : offset[index + 1]].tobytes())


if __name__ == "__main__":
    main()
