"""Time and peak memory of the stages at the size of ImageNet-1000, on generated images.

    python benchmarks/scale.py [--classes 1000] [--images 5] [--size 224]

Writes CLASSES x IMAGES JPEG files, prepares them as an image folder, and selects 20 exemplars per
class when the last tenth of the classes joins the others. Each stage runs in a process of its own;
its peak memory is what the system counts for that process.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

EXEMPLARS = 20
RECIPE = {"epochs": 1}


def write_images(folder, classes, images, size):
    generator = np.random.default_rng(0)
    for label in range(classes):
        own = folder / f"class{label:04}"
        own.mkdir(parents=True)
        for number in range(images):
            coarse = generator.integers(0, 256, (size // 16, size // 16, 3), "uint8")
            picture = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
            picture.save(own / f"{number}.jpg", quality=90)


def params(classes, size):
    last = classes // 10
    return {
        "memory": EXEMPLARS * classes,
        "dataset": {"name": "folder", "path": "raw", "image_size": size},
        "tasks": {
            "00": {"classes": classes - last, "after": "start", "recipe": "base"},
            "01": {"classes": last, "after": "00", "recipe": "increment"},
        },
        "exemplars": {"per_class": EXEMPLARS},
        "base": dict(RECIPE),
        "increment": dict(RECIPE),
    }


def measured(folder, *command):
    """Seconds and peak MiB of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "tfcil", "stage", *command], cwd=folder, check=True)
    seconds = time.perf_counter() - began
    # The largest of all children so far: stages are measured from the smallest to the largest.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": round(seconds, 1), "peak_mib": peak // 1024, "is_its_own": peak > before}


def write_last_task(folder, classes, size):
    """The files that `select@01` reads: every class before has its exemplars already."""
    from tfcil.data.store import create_images
    from tfcil.exemplars import ExemplarMemory
    from tfcil.files import save_npz

    old, new, own = classes - classes // 10, classes // 10, 50
    labels = np.repeat(np.arange(old, dtype="int32"), EXEMPLARS)
    ranks = np.tile(np.arange(EXEMPLARS, dtype="int32"), old)
    images = np.zeros((len(labels), size, size, 3), "uint8")
    ExemplarMemory(images, labels, ranks).save(folder / "memory" / "00.npz")
    new_labels = np.repeat(np.arange(old, classes), own)
    create_images(folder / "data" / "train" / "01", new_labels, (size, size, 3))[:] = 1
    features = np.random.default_rng(0).normal(size=(new * own, 512)).astype("float32")
    save_npz(folder / "features" / "01.npz", features=features, labels=new_labels)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_images(folder / "raw", options.classes, options.images, options.size)
        settings = yaml.safe_dump(params(options.classes, options.size))
        (folder / "params.yaml").write_text(settings)
        count = options.classes * options.images
        found = {"images": count, "size": options.size, "prepare": measured(folder, "prepare")}
        found["prepare"]["images_per_second"] = round(count / found["prepare"]["seconds"])
        subprocess.run(["rm", "-r", str(folder / "data")], check=True)
        write_last_task(folder, options.classes, options.size)
        found["select"] = measured(folder, "select", "01")
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
