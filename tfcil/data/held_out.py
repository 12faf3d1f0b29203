"""Chooses the images of a class that are held out, by the contents of each image alone."""

import hashlib

import numpy as np


def position(digest) -> float:
    """Reads a digest as a number in [0, 1): its first 8 bytes, the most significant first."""
    return int.from_bytes(digest[:8], "big") / 2**64


def held_out(digests, fraction, some_kept=False, some_held=False) -> np.ndarray:
    """Computes which images of one class are held out; equal images are on one side.

    An image is held out if its digest, as a number, is below the fraction: adding images moves no
    other. No side stays empty: if no digest is below, the smallest is held out; if all are below,
    the largest is kept.

    Args:
        digests: SHA-256 of each image; at least two different ones, unless a side has images.
        fraction: the part to hold out, in (0, 1).
        some_kept, some_held: whether the class has other images on that side.

    Returns:
        (n,) bool.
    """
    held = np.array([position(one) < fraction for one in digests], bool)
    if digests and not (some_held or held.any()):
        held = np.array([one == min(digests) for one in digests])
    elif digests and not some_kept and held.all():
        held = np.array([one != max(digests) for one in digests])
    return held


def pixel_digest(image) -> bytes:
    """Computes a digest of an image's shape and pixels, independent of the file's digest."""
    sha = hashlib.sha256(f"validation {image.shape}".encode())
    sha.update(np.ascontiguousarray(image).data)
    return sha.digest()
