"""Training steps per second on JAX by the number of steps per call: what do calls cost?

    KERAS_BACKEND=jax python benchmarks/steps_per_call.py --backbone resnet32 --batch 128

The steps of `training_step.py` with cross-entropy, in turn, an epoch of each per round. With 0
steps per call, images are sent to the device step by step, as where they don't fit there.
"""

import argparse
import dataclasses
import time

import numpy as np

STEPS = 100  # of an epoch


def epochs(backbone, batch_size, per_call):
    """Yields the seconds of one epoch after the other; the first compiles."""
    import jax
    from training_step import Settings, TfcilSteps

    from tfcil.classifier import untrained
    from tfcil.training import jax_engine

    settings = dataclasses.replace(Settings(), batch_size=batch_size)
    images = np.random.default_rng(0).integers(0, 256, (STEPS * batch_size, 32, 32, 3), "uint8")
    labels = (np.arange(len(images)) % 50).astype("int32")
    model = untrained(backbone, (32, 32, 3), settings.mean, settings.std)
    jax_engine.STEPS_PER_CALL = {jax.default_backend(): per_call or 1}
    steps = TfcilSteps(images, labels, model, 50, settings)
    while True:
        # Read when an epoch begins.
        jax_engine.IMAGES_ON_DEVICE = 2**31 if per_call else 0
        began = time.perf_counter()
        steps.run(STEPS)
        yield time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="resnet32")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--per-call", type=int, nargs="+", default=[0, 1, 10, 100])
    options = parser.parse_args()
    import reporting

    running = {one: epochs(options.backbone, options.batch, one) for one in options.per_call}
    compiling = {one: next(seconds) for one, seconds in running.items()}
    seconds = {one: [] for one in running}
    for index in range(options.rounds):
        # Nobody always runs after the same other one.
        for one in np.roll(options.per_call, index):
            seconds[one].append(next(running[one]))
    rows = [
        {
            "steps per call": one,
            "steps/s": STEPS / float(np.median(found)),
            "times the first": float(np.median(np.divide(seconds[options.per_call[0]], found))),
            "first epoch, s": compiling[one],
        }
        for one, found in seconds.items()
    ]
    reporting.show(f"{options.backbone}, batches of {options.batch}", rows)


if __name__ == "__main__":
    main()
