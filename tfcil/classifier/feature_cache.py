"""Features of images, computed once for each network that stays as it is."""

import hashlib
import json
import platform
import sys
import uuid
from pathlib import Path

import keras
import numpy as np

from tfcil.classifier.freezing import is_frozen, network_of
from tfcil.classifier.inference import batches, forward
from tfcil.classifier.model import FEATURES, LOGITS, expose
from tfcil.files import load_npz, map_npz, save_npz

DIGEST = 16  # bytes
TOGETHER = 10_000  # images in a file: what is lost when a process is killed


def features_of(model, images):
    """Computes the features of images, (n, d) float32; see `forward`."""
    return forward(expose(model, FEATURES), images)[FEATURES]


class FeatureCache:
    """Keeps the features of a frozen network on disk, by network and image.

    The same image gives the same bytes, whether they were kept or not. Features of a network that
    is trained are not kept.

    Args:
        folder: which the cache has for itself; it may be deleted at any time.
    """

    def __init__(self, folder):
        self._folder = Path(folder)

    def __call__(self, model, images):
        """Returns the features of images, (n, d) float32; see `forward` for the arguments."""
        if not is_frozen(model):
            return features_of(model, images)
        folder = self._folder / network_digest(model)
        kept = {}
        for file in sorted(folder.glob("*.npz")):
            (digests,) = load_npz(file, "digests")
            kept |= {one.tobytes(): (file, row) for row, one in enumerate(digests)}
        wanted = image_digests(images)
        missing = {one: row for row, one in enumerate(wanted) if one not in kept}
        if missing:
            _tell(len(missing), len(set(wanted)), known=bool(kept))
            kept |= self._computed(model, images, missing, folder)
        return _collected([kept[one] for one in wanted])

    def _computed(self, model, images, missing, folder):
        """Computes and keeps features; returns file and row of each image by its digest.

        Args:
            missing: dictionary from digests to positions in `images`.
        """
        digests, rows = [*missing], np.array([*missing.values()])
        computed = batches(expose(model, FEATURES), images, rows)
        places = {}
        for first in range(0, len(rows), TOGETHER):
            some = digests[first : first + TOGETHER]
            features = _taken(computed, len(some))
            file = folder / f"{uuid.uuid4().hex}.npz"  # other processes may write at the same time
            table = np.frombuffer(b"".join(some), "uint8").reshape(-1, DIGEST)
            save_npz(file, digests=table, features=features)
            places |= {one: (file, row) for row, one in enumerate(some)}
        return places

    def outputs(self, model, images):
        """Computes the outputs of a classifier: `logits` (n, classes) and `features` (n, d)."""
        if not is_frozen(model):
            return forward(expose(model, LOGITS, FEATURES), images)
        features = self(model, images)
        head = keras.Model(model.get_layer(FEATURES).output, {LOGITS: model.output})
        return {FEATURES: features, LOGITS: forward(head, features)[LOGITS]}


def image_digests(images) -> list[bytes]:
    """Computes a digest of each image's pixels."""
    kind = f"{images.dtype} {tuple(images.shape[1:])}".encode()
    return [
        hashlib.blake2b(image.tobytes(), digest_size=DIGEST, key=kind).digest()
        for first in range(0, len(images), 250)
        for image in np.asarray(images[first : first + 250])
    ]


def network_digest(model) -> str:
    """Computes a digest of all that the features of an image follow from, but the image."""
    network = network_of(model)
    backend = keras.backend.backend()
    whole = hashlib.sha256(
        json.dumps(
            [
                [layer.get_config() for layer in network.layers],
                [backend, sys.modules[backend].__version__, keras.__version__, platform.machine()],
            ],
            default=str,
        ).encode()
    )
    for weight in network.get_weights():
        whole.update(np.ascontiguousarray(weight).tobytes())
    return whole.hexdigest()[:32]


def _taken(computed, number):
    """Takes the features of so many images, whole batches, from those of `batches`."""
    parts, taken = [], 0
    while taken < number:
        some, outputs = next(computed)
        parts.append(outputs[FEATURES])
        taken += len(some)
    return np.concatenate(parts)


def _collected(places):
    """Reads rows of files, (n, d)."""
    files = {}
    for index, (file, row) in enumerate(places):
        files.setdefault(file, []).append((index, row))
    features = None
    for file, some in files.items():
        rows = map_npz(file, "features")
        if features is None:
            features = np.empty((len(places), rows.shape[1]), "float32")
        indices, chosen = np.array(some).T
        features[indices] = rows[chosen]
    return features


def _tell(missing, wanted, known):
    reason = "new to the cache" if known else "the network is new to the cache"
    print(f"features of {missing} of {wanted} images: {reason}", file=sys.stderr)
