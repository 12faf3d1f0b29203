"""Encoded images are read like the pixels they were; boxes come from the whole of each."""

import io

import numpy as np
import pytest
from photos import photos, pixels
from PIL import Image

from tfcil.data.encoded import EncodedImages, encode
from tfcil.data.images import read_encoded
from tfcil.data.pictures import resize
from tfcil.errors import UserError

GENERATOR = np.random.default_rng(0)
NOISE = [GENERATOR.integers(0, 256, (height, 9, 3), "uint8") for height in (7, 9, 12, 8, 20)]


def stored(images, size=8, resize="crop"):
    encoded = [encode(image, size=size, resize=resize) for image in images]
    return EncodedImages.of(encoded, encoded[0].shape, encoded[0].resize)


def smooth(height, width):
    """A picture without fine noise, of which JPEG loses little."""
    corners = np.random.default_rng(1).integers(0, 256, (3, 4, 3), "uint8")
    picture = Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


@pytest.mark.parametrize("how", ["stretch", "crop"])
def test_images_that_are_not_made_smaller_are_read_exactly_as_raw_ones(how):
    """Shorter sides of 7 to 9 pixels, and 9 is 256/224 of 8: nothing is lost, also not of noise."""
    expected = np.stack([resize(image, 8, how) for image in NOISE])
    np.testing.assert_array_equal(stored(NOISE, 8, how)[:], expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_one_size_keep_their_pixels(channels):
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 5, channels), "uint8")
    np.testing.assert_array_equal(stored(images, None)[:], images)


def test_a_large_image_keeps_all_of_it_with_a_shorter_side_of_256():
    """As raw ones but for what JPEG loses; by hand, 750 x 500 becomes 384 x 256."""
    image = smooth(500, 750)
    one = encode(image, size=224, resize="crop")
    assert (one.size, one.shape, one.contents[:2]) == ((256, 384), (224, 224, 3), b"\xff\xd8")
    read = stored([image], 224)[0]
    difference = np.abs(read.astype(int) - resize(image, 224, "crop"))
    assert difference.mean() < 1
    assert difference.max() < 12


def test_a_jpeg_that_is_small_enough_keeps_its_bytes():
    contents = photos(1)[0]
    one = encode(pixels(contents), contents, size=56, resize="crop")  # 64 is 256/224 of 56
    assert one.contents == contents
    assert encode(pixels(contents), contents, size=55, resize="crop").contents != contents


def test_a_file_that_shows_other_pixels_is_not_kept(tmp_path):
    """A camera held upright: the file lies on its side. Kept as it is, it would be read so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise puts it right
    image = smooth(20, 30)
    Image.fromarray(image).save(tmp_path / "turned.jpg", exif=exif)
    one = read_encoded(tmp_path / "turned.jpg", encode)
    assert (one.size, one.contents[1:4]) == ((30, 20), b"PNG")
    lying = pixels((tmp_path / "turned.jpg").read_bytes())
    read = EncodedImages.of([one], one.shape, one.resize)[0]
    np.testing.assert_array_equal(read, np.rot90(lying, -1))


@pytest.mark.parametrize(
    "index",
    [
        *(slice(None), slice(1, 4), slice(4, 0, -2), slice(2, 2), 0, -1, np.int64(3)),
        *([4, 0, 3, 3], [[0, 4], [2, 1]], np.arange(5) > 2, np.array([], int)),
    ],
    ids=str,
)
def test_encoded_images_are_indexed_like_an_array(index):
    images = stored(NOISE)
    whole = images[:]
    assert (len(images), images.shape, images.dtype) == (5, (5, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(images[index], whole[index])
    np.testing.assert_array_equal(np.stack(list(images)), whole)


def test_an_index_outside_is_refused():
    with pytest.raises(IndexError):
        stored(NOISE)[5]


def test_boxes_are_cut_from_the_whole_image_and_not_from_its_middle():
    """By hand: thirds of red, green and blue side by side; the middle square is green alone."""
    image = np.zeros((8, 24, 3), "uint8")
    for third in range(3):
        image[:, 8 * third : 8 * third + 8, third] = 255
    images = stored([image] * 3)
    assert (images[0][:, 1:-1] == [0, 255, 0]).all()
    third = 1 / 3
    draws = [[0, 0, 1, third, 0], [0, 2 * third, 1, third, 1], [0.5, 0, 0.5, 0.25, 0]]
    boxes = images.cropped(np.arange(3), np.array(draws, "float32"))
    for box, colour in zip(boxes, ([255, 0, 0], [0, 0, 255], [255, 0, 0]), strict=True):
        assert (box[:, 1:-1] == colour).all()


def test_a_flipped_box_is_the_box_mirrored():
    images = stored(NOISE)
    draws = np.tile(np.array([0.1, 0.2, 0.7, 0.6, 0], "float32"), (5, 1))
    plain = images.cropped(np.arange(5), draws)
    draws[:, 4] = 1
    np.testing.assert_array_equal(images.cropped(np.arange(5), draws), plain[:, :, ::-1])


def test_a_box_is_shrunk_with_all_of_its_pixels():
    """Stripes of one pixel become grey: every pixel counts, and not two neighbours alone."""
    image = np.zeros((72, 72, 1), "uint8")
    image[:, ::2] = 254
    everything = np.array([[0, 0, 1, 1, 0]], "float32")
    box = stored([image], 63).cropped([0], everything)
    assert abs(box.mean() - 127) < 1
    smaller = EncodedImages.of([encode(image, size=63)], (8, 8, 1), "crop")
    assert (abs(smaller.cropped([0], everything)[0, :, 1:-1].astype(int) - 127) <= 8).all()


@pytest.mark.parametrize("damage", ["contents", "no image", "other size"])
def test_an_image_that_cannot_be_decoded_is_told_in_one_line(damage):
    images = stored(NOISE, None if damage == "other size" else 8)
    contents = images.contents.copy()
    if damage == "contents":
        contents[images.ends[1] : images.ends[2]] ^= 0x55
    elif damage == "no image":
        contents[images.ends[1] :] = 0
    other = EncodedImages(contents, **images.index())
    with pytest.raises(UserError, match=r"can be decoded \(.*Received: image number 2 ") as told:
        other[[2]]
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "change",
    [
        {"ends": np.array([1, 2])},
        {"sizes": np.zeros((4, 2), "int32")},
        {"shape": np.array([8, 8])},
        {"resize": np.array("else")},
        {"contents": np.zeros(7, "uint8")},
    ],
    ids=str,
)
def test_parts_that_do_not_fit_together_are_refused(change):
    images = stored(NOISE)
    with pytest.raises(ValueError, match="encoded images in a row"):
        EncodedImages(**({"contents": images.contents} | images.index() | change))


def test_no_images_are_images_too():
    none = EncodedImages.of([], (8, 8, 3), "crop")
    assert none[:].shape == (0, 8, 8, 3)
    assert none.cropped(np.array([], int), np.zeros((0, 5))).shape == (0, 8, 8, 3)


def test_aspects_are_those_that_are_seen():
    """A stretched image counts as the square that it becomes."""
    assert stored(NOISE[:2]).aspects.tolist() == [9 / 7, 1]
    assert stored(NOISE[:2], resize="stretch").aspects.tolist() == [1, 1]


def test_equal_images_give_equal_bytes():
    one, other = (stored([smooth(40, 60), *NOISE]) for _ in range(2))
    assert one.contents.tobytes() == other.contents.tobytes()
    with Image.open(io.BytesIO(one.encoded(0).contents)) as picture:
        assert picture.size == (13, 9)
