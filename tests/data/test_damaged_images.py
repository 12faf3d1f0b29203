"""Whatever a file holds, reading it gives an image or one clear line, and never a warning."""

import io
import itertools
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from tfcil.data.images import read_image
from tfcil.errors import UserError

CASES = 60  # per kind of file


def valid_files():
    """Small files of every kind, with what Pillow is known to warn or stumble about."""
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (23, 17, 3), "uint8"))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    palette = noise.quantize(16)
    frames = [noise.convert("P"), noise.rotate(90).resize((17, 23)).convert("P")]
    kinds = {
        "jpeg": (noise, {"format": "JPEG", "exif": exif}),
        "progressive jpeg": (noise, {"format": "JPEG", "progressive": True}),
        "cmyk jpeg": (noise.convert("CMYK"), {"format": "JPEG"}),
        "png": (noise, {"format": "PNG", "exif": exif}),
        "palette png": (palette, {"format": "PNG", "transparency": bytes(range(16))}),
        "webp": (noise, {"format": "WEBP", "exif": exif}),
        "lossless webp": (noise.convert("RGBA"), {"format": "WEBP", "lossless": True}),
        "bmp": (noise, {"format": "BMP"}),
        "gif": (frames[0], {"format": "GIF", "save_all": True, "append_images": frames[1:]}),
    }
    for name, (picture, options) in kinds.items():
        buffer = io.BytesIO()
        picture.save(buffer, **options)
        yield name, buffer.getvalue()


FILES = dict(valid_files())


def damaged(whole, random):
    """Yields the file cut short, with bytes changed (more of them near its head), or both."""
    while True:
        data = bytearray(whole)
        if random.random() < 0.7:
            for _ in range(random.integers(1, 12)):
                last = len(data) if random.random() < 0.5 else min(64, len(data))
                data[random.integers(last)] = random.integers(256)
        if random.random() < 0.4:
            del data[random.integers(len(data)) :]
        yield bytes(data)


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_give_an_image_or_one_line(tmp_path, name):
    random = np.random.default_rng(sorted(FILES).index(name))
    file = tmp_path / "a.jpg"
    outcomes = set()
    for data in itertools.islice(damaged(FILES[name], random), CASES):
        file.write_bytes(data)
        outcomes.add(outcome(file))
    assert outcomes == {"image", "told"}, "both happen, or nothing was tried"


def outcome(file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = read_image(file)
        except UserError as error:
            message = str(error)
        else:
            assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
            return "image"
    assert message.endswith(f"Received: file={file}")
    assert message.isprintable()
    return "told"


@pytest.mark.parametrize("name", FILES)
def test_the_files_themselves_are_images(tmp_path, name):
    (tmp_path / "a.png").write_bytes(FILES[name])
    assert outcome(tmp_path / "a.png") == "image"


def test_an_image_whose_exif_data_are_damaged_is_an_image(tmp_path):
    data = FILES["jpeg"]
    at = data.index(b"Exif\0\0") + 6
    (tmp_path / "a.jpg").write_bytes(data[:at] + b"XXXX" + data[at + 4 :])
    assert read_image(tmp_path / "a.jpg").shape == (23, 17, 3)


def test_large_pictures_are_read_without_a_warning(tmp_path):
    """Pillow warns from 89 megapixels on. All but the first rows are missing here."""
    header = bytearray(FILES["png"])
    header[16:24] = struct.pack(">II", 9400, 10000)
    header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
    (tmp_path / "a.png").write_bytes(header)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError, match="damaged"):
            read_image(tmp_path / "a.png")
