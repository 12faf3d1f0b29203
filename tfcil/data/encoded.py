"""Images as JPEG or PNG files in one array: decoded, resized and cropped when they are read."""

import functools
import io
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from tfcil.data.pictures import (
    as_picture,
    resized,
    resized_box,
    shorter_side,
    silence_pillow,
    with_shorter_side,
)
from tfcil.data.threads import processors
from tfcil.errors import UserError

QUALITY = 95  # of images that are made smaller
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_CHUNK = 256  # images that are decoded at a time by a loop over all


class Encoded(NamedTuple):
    """One encoded image.

    Args:
        contents: of a JPEG or PNG file: bytes, or an array of uint8.
        size: its height and width in pixels.
        shape: (height, width, channels) that it is read in.
        resize: how it is brought to that shape: `"stretch"`, `"crop"`, or `"none"`: it has it.
    """

    contents: bytes
    size: tuple[int, int]
    shape: tuple[int, int, int]
    resize: str


def encode(image, contents=b"", size=None, resize="stretch") -> Encoded:
    """Encodes an image whose shorter side is at most `shorter_side(size)`, or is made so.

    No pixel changes unless the image is made smaller: then it is a JPEG file of quality 95. Others
    stay as the file they came in, if that is JPEG or PNG and decodes to just these pixels;
    otherwise they become PNG.

    Args:
        image: (height, width, channels) uint8.
        contents: bytes of the file that the image came in, or none.
        size: side in pixels of the square that it is read as; `None`: it is read as it is.
        resize: how, see `tfcil.data.pictures.resize`.
    """
    channels = image.shape[-1]
    picture = as_picture(image)
    if size and min(picture.size) > shorter_side(size):
        picture = with_shorter_side(picture, shorter_side(size))
        lossy = channels in (1, 3)
        contents = _file(picture, "JPEG", quality=QUALITY) if lossy else _file(picture, "PNG")
    elif not _decodes_to(contents, image):
        contents = _file(picture, "PNG")
    shape = (size, size, channels) if size else image.shape
    return Encoded(contents, picture.size[::-1], shape, resize if size else "none")


def _file(picture, kind, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _decodes_to(contents, image) -> bool:
    try:
        return np.array_equal(np.atleast_3d(_decoded(contents, image.shape[-1])), image)
    except Exception:  # Pillow's decoders raise exceptions of any type
        return False


def _decoded(contents, channels):
    from PIL import Image

    silence_pillow()
    with Image.open(io.BytesIO(contents), formats=("JPEG", "PNG")) as picture:
        picture.load()
        return picture if picture.mode == _MODES[channels] else picture.convert(_MODES[channels])


class EncodedImages:
    """Encoded images that are indexed like an array (n, height, width, channels) of uint8.

    Reading decodes them in as many threads as there are processors; the result depends on none.

    Args:
        contents: (bytes,) uint8, an array or a memory map: files of JPEG or PNG in a row.
        ends: (n,) int64, where in `contents` each file ends.
        sizes: (n, 2) int32, height and width of each image in pixels.
        shape: (3,), the height, width and channels that images are read in.
        resize: as of `Encoded`.

    Raises:
        ValueError: these do not fit together.
    """

    INDEX = ("ends", "sizes", "shape", "resize")
    dtype, ndim = np.dtype("uint8"), 4

    def __init__(self, contents, ends, sizes, shape, resize):
        self.contents, self.ends, self.sizes, self.resize = contents, ends, sizes, str(resize)
        self.shape = (len(ends), *map(int, shape))
        self._positions = np.arange(len(ends))
        starts = np.concatenate([[0], ends])
        if (
            contents.dtype != np.uint8
            or (contents.ndim, len(self.shape)) != (1, 4)
            or sizes.shape != (len(ends), 2)
            or self.resize not in ("stretch", "crop", "none")
            or np.any(np.diff(starts) <= 0)
            or starts[-1] != len(contents)
        ):
            raise ValueError(
                f"expected files of {len(ends)} encoded images in a row. "
                f"Received: {len(contents)} bytes, the last image ends at {starts[-1]}"
            )

    @classmethod
    def of(cls, images, shape, resize) -> "EncodedImages":
        """Puts `Encoded` images into one array; `shape` and `resize` are those of all of them."""
        files = [np.frombuffer(image.contents, np.uint8) for image in images]
        ends = np.cumsum([len(file) for file in files], dtype=np.int64)
        sizes = np.array([image.size for image in images], np.int32).reshape(-1, 2)
        contents = np.concatenate([np.zeros(0, np.uint8), *files])
        return cls(contents, ends, sizes, shape, resize)

    def index(self) -> dict[str, np.ndarray]:
        """Returns the arguments of the class but `contents`, as arrays by their names."""
        shape, resize = np.array(self.shape[1:], np.int64), np.array(self.resize)
        return dict(zip(self.INDEX, (self.ends, self.sizes, shape, resize), strict=True))

    def encoded(self, position) -> Encoded:
        """Returns an image without decoding it."""
        first = self.ends[position - 1] if position else 0
        contents = self.contents[first : self.ends[position]]
        return Encoded(contents, tuple(self.sizes[position]), self.shape[1:], self.resize)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """Decodes images by a number, a slice or an array of indices."""
        return self._read(np.asarray(self._positions[index]))

    def __iter__(self):
        for first in range(0, len(self), _CHUNK):
            yield from self[first : first + _CHUNK]

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return self.contents.nbytes

    @property
    def aspects(self) -> np.ndarray:
        """Width by height of each image as it is seen, (n,); 1 where the whole becomes a square."""
        if self.resize != "crop":
            return np.ones(len(self))
        return self.sizes[:, 1] / self.sizes[:, 0]

    def cropped(self, positions, draws) -> np.ndarray:
        """Decodes images, and resizes the drawn box of each, flipped as drawn.

        The box is cut from the whole stored image, not from the middle that indexing returns.

        Args:
            positions: (k,) of the images.
            draws: (k, 5), as `tfcil.layers.draws.draw` gives them for resized crops.

        Returns:
            (k, height, width, channels) uint8.
        """
        return self._read(self._positions[positions], draws)

    def _read(self, positions, draws=None):
        flat = positions.ravel()
        result = np.empty((len(flat), *self.shape[1:]), np.uint8)

        def read(place):
            result[place] = self._image(flat[place], None if draws is None else draws[place])

        # Pillow decodes and resizes without holding Python's lock.
        list(_threads().map(read, range(len(flat))))
        return result.reshape(*positions.shape, *self.shape[1:])

    def _image(self, position, draw):
        height, width, channels = self.shape[1:]
        try:
            picture = _decoded(self.encoded(position).contents, channels)
            if draw is not None:
                picture = resized_box(picture, (width, height), draw[:4])
            elif self.resize != "none":
                picture = resized(picture, width, self.resize)
            image = np.asarray(picture).reshape(self.shape[1:])
        except Exception as error:  # Pillow's decoders raise exceptions of any type
            reason = " ".join(str(error).split())[:160]
            path = getattr(self.contents, "filename", "memory")
            raise UserError(
                f"Expected stored images that can be decoded ({reason}): run the stage prepare "
                f"again. Received: image number {position} in path={path}"
            ) from None
        return image[:, ::-1] if draw is not None and draw[4] else image


@functools.cache
def _threads():
    return ThreadPoolExecutor(processors(), "decode")
