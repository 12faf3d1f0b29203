"""Stage `start`: makes a model without classes and an empty memory."""

import sys
from pathlib import Path

import keras

from tfcil.classifier import save_classifier, untrained
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json
from tfcil.stages.layout import START, Layout

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


def start(layout: Layout, params) -> None:
    """Writes models/start.keras and memory/start.npz; reads `seed` and `model`."""
    warning = bfloat16_warning(params.model.precision, keras.distribution.list_devices())
    if warning:
        print(warning, file=sys.stderr)
    images = read_json(layout.image_format)
    model = untrained(
        image_shape=images["shape"],
        mean=images["mean"],
        std=images["std"],
        seed=params.seed,
        **dict(params.model),
    )
    save_classifier(model, layout.model(START))
    ExemplarMemory.empty(images["shape"]).save(layout.memory(START))


def bfloat16_warning(precision: str, devices, cpuinfo: str | None = None) -> str | None:
    """Returns a line of warning where `mixed_bfloat16` is slow on these devices of Keras.

    There is none where `cpuinfo`, by default /proc/cpuinfo, has no flags: it is no x86 processor.
    """
    if precision != "mixed_bfloat16" or not all(name.startswith("cpu:") for name in devices):
        return None
    if cpuinfo is None:
        cpuinfo = CPUINFO.read_text(encoding="utf-8") if CPUINFO.exists() else ""
    fields = (line.partition(":") for line in cpuinfo.splitlines())
    flags = next((value.split() for name, _, value in fields if name.strip() == "flags"), None)
    if flags is None or set(INSTRUCTIONS) & set(flags):
        return None
    return (
        f"mixed_bfloat16: this processor has no bfloat16 instructions ({', '.join(INSTRUCTIONS)}); "
        "on such a processor, with AVX2, a training step was measured 16 times slower than float32"
    )
