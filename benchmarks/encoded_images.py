"""Size and speed of encoded images beside raw ones, on generated JPEG files.

    python benchmarks/encoded_images.py [--images 1000] [--processors 1 2]

Writes JPEG files of 500 x 375 pixels and the like, whose spectrum falls with the frequency as that
of photographs does: 106 kB each, where those of ImageNet have 108 (138 GB). Prepares them as an
image folder with `store: raw` and `store: encoded`. Then reads batches of 128 in random order, in
processes that may use so many processors: the middle of each image, as an evaluation does, and
random boxes, as a training does.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import reporting
import yaml
from PIL import Image

from tfcil.data.encoded import QUALITY
from tfcil.data.store import read_images
from tfcil.layers.draws import Augmentation, draw

SIZES = ((500, 375), (500, 333), (375, 500), (500, 500), (320, 240))  # width, height
CLASSES, BATCH, SIDE = 10, 128, 224
CROPS = Augmentation(flip=True, resized_crop=True)
RECIPE = {"epochs": 1, "resized_crop": True}


def photo(generator, width, height):
    """A picture whose amplitudes fall with the frequency, in colours that are mostly grey."""
    shape = height, width
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    noise = np.fft.rfft2(generator.normal(size=(4, *shape)))
    grey, *colours = np.fft.irfft2(noise / np.maximum(frequency, 1 / width) ** 1.3, shape)
    channels = np.stack([grey / grey.std() + 0.3 * one / one.std() for one in colours], axis=-1)
    return Image.fromarray(np.clip(118 + 50 * channels, 0, 255).astype("uint8"))


def write_images(folder, count):
    generator = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"class{number % CLASSES}" / f"{number}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        photo(generator, *SIZES[number % len(SIZES)]).save(place, quality=95)


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def cpu_seconds():
    """Of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def prepared(folder, store, count):
    """Runs the stage prepare; returns what is stored and what it took."""
    place = folder / store
    place.mkdir()
    dataset = {"name": "folder", "path": str(folder / "images"), "image_size": SIDE}
    params = {
        "memory": 0,
        "dataset": dataset | {"resize": "crop", "store": store, "test_fraction": 0.01},
        "tasks": {"00": {"classes": CLASSES, "after": "start", "recipe": "base"}},
        "base": dict(RECIPE),
        "increment": dict(RECIPE),
    }
    (place / "params.yaml").write_text(yaml.safe_dump(params))
    began = cpu_seconds()
    subprocess.run([sys.executable, "-m", "tfcil", "stage", "prepare"], cwd=place, check=True)
    milliseconds = 1e3 * (cpu_seconds() - began) / count
    return row(store, size_of(place / "data"), count, round(milliseconds, 1))


def row(stored, size, count, prepared=""):
    return {
        "stored": stored,
        "MB per 1,000 images": round(size / count / 1e3, 1),
        "prepare: CPU ms per image": prepared,
    }


def rate(read, count, seconds=8):
    """Reads batches in random order for so many seconds: images per second, CPU ms per image."""
    generator, seen = np.random.default_rng(0), 0
    read(np.arange(BATCH))  # starts the threads
    began, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        read(generator.permutation(count)[:BATCH])
        seen += BATCH
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return round(seen / wall), round(1e3 * cpu / seen, 2)


def measure_reading(folder):
    """Prints the rates of this process as JSON."""
    raw, encoded = (
        read_images(folder / store / "data" / "train" / "00")[0] for store in ("raw", "encoded")
    )
    generator, count = np.random.default_rng(1), len(encoded)

    def boxes(indices):
        aspects = encoded.aspects[indices]
        return encoded.cropped(indices, draw(generator, len(indices), CROPS, aspects))

    reads = {
        "encoded, random boxes": boxes,
        "encoded, middle": encoded.__getitem__,
        "raw, middle": raw.__getitem__,
    }
    rates = []
    for name, read in reads.items():
        per_second, milliseconds = rate(read, count)
        rates.append({"read": name, "per second": per_second, "CPU ms per image": milliseconds})
    print(json.dumps(rates))


def rates_of(folder, processors):
    command = [sys.executable, __file__, "--read", str(folder)]
    limit = "import os, sys; os.sched_setaffinity(0, range(int(sys.argv[1]))); "
    limit += "os.execv(sys.argv[2], sys.argv[2:])"
    done = subprocess.run(
        [sys.executable, "-c", limit, str(processors), *command],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [{"processors": processors, **one} for one in json.loads(done.stdout)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--processors", type=int, nargs="+", default=[1, os.cpu_count()])
    parser.add_argument("--read", type=Path, help="a folder that a process of this one reads")
    options = parser.parse_args()
    if options.read:
        measure_reading(options.read)
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        count = options.images
        write_images(folder / "images", count)
        sizes = [row("files", size_of(folder / "images"), count)]
        sizes += [prepared(folder, store, count) for store in ("raw", "encoded")]
        rows = [one for number in options.processors for one in rates_of(folder, number)]
    reporting.show(f"Images of {SIDE} pixels; quality {QUALITY}", sizes)
    reporting.show("Reading", rows)
    reporting.save("encoded_images", {"images": count, "sizes": sizes, "reading": rows})


if __name__ == "__main__":
    main()
