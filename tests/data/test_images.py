"""Images are read as they are meant to be seen, resized as published, and summed up exactly."""

import hashlib
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from tfcil.data import images
from tfcil.data.images import channel_statistics, check_image, read_image
from tfcil.data.pictures import resize
from tfcil.errors import UserError

GRADIENT = np.add.outer(np.arange(6) * 40, np.arange(4) * 10).astype("uint8")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "RGBA", "CMYK", "LA"])
def test_every_kind_of_picture_becomes_rgb(tmp_path, mode):
    """About 2 % of ImageNet are grey, a few CMYK."""
    suffix = ".jpg" if mode in ("CMYK", "L") else ".png"
    Image.new("RGB", (5, 3), (255, 255, 255)).convert(mode).save(tmp_path / f"a{suffix}")
    image = read_image(tmp_path / f"a{suffix}")
    assert (image.shape, image.dtype) == ((3, 5, 3), np.uint8)
    assert image.min() == 255


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "gif"])
def test_lossless_files_keep_their_pixels(tmp_path, suffix):
    Image.fromarray(GRADIENT).save(tmp_path / f"a.{suffix}", lossless=True)
    expected = np.repeat(GRADIENT[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), expected)


def test_a_picture_taken_with_a_turned_camera_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise puts it right
    Image.fromarray(GRADIENT).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], np.rot90(GRADIENT, -1))


def test_of_a_moving_picture_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("L", (4, 4), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), 10)


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "16 bit"])
def test_a_damaged_file_is_told_in_one_line_that_names_it(tmp_path, damage):
    file = tmp_path / "a.png"
    if damage != "missing":
        noise = np.random.default_rng(0).integers(0, 256, (50, 50), "uint8")
        Image.fromarray(noise).save(file)
    if damage == "empty":
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("not an\nimage")
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "16 bit":
        Image.fromarray(np.full((4, 4), 60000, "uint16")).save(file)
    with pytest.raises(UserError, match=r"Received: file=.*a\.png$") as told:
        read_image(file)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_stretched_images_are_squares_of_all_of_them(channels):
    """What lies left stays left, each channel keeps its own value, and single colours stay."""
    colours = np.arange(1, channels + 1, dtype="uint8") * 50
    wide, tall = np.zeros((4, 16, channels), "uint8"), np.zeros((16, 4, channels), "uint8")
    wide[:, :8], tall[:] = colours, colours
    resized = resize(wide, 8)
    assert (resized.shape, resized.dtype) == ((8, 8, channels), np.uint8)
    np.testing.assert_array_equal(resized[:, :3], np.broadcast_to(colours, (8, 3, channels)))
    np.testing.assert_array_equal(resized[:, 5:], 0)
    np.testing.assert_array_equal(resize(tall, 8), np.broadcast_to(colours, (8, 8, channels)))


def test_cropped_images_are_the_central_224_of_256():
    """As ImageNet models are evaluated: shorter side to 256, longer one in proportion."""
    image = np.random.default_rng(0).integers(0, 256, (375, 500, 3), "uint8")
    whole = Image.fromarray(image).resize((341, 256), Image.Resampling.BILINEAR)
    expected = np.asarray(whole)[16 : 16 + 224, 58 : 58 + 224]
    np.testing.assert_array_equal(resize(image, 224, "crop"), expected)
    turned = resize(np.swapaxes(image, 0, 1), 224, "crop")
    np.testing.assert_allclose(np.swapaxes(turned, 0, 1).astype(int), expected, atol=1)


def test_an_image_that_has_the_size_is_stretched_to_itself():
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), "uint8")
    np.testing.assert_array_equal(resize(image, 9), image)


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_statistics_do_not_depend_on_how_many_images_are_read_at_once(batch_size):
    images = np.random.default_rng(0).integers(0, 256, (50, 6, 5, 3), "uint8")
    images[..., 2] = 9
    mean, std = channel_statistics(images, batch_size)
    pixels = images.reshape(-1, 3).astype("float64")
    assert mean == [round(one, 4) for one in pixels.mean(axis=0)]
    assert std == [*(round(one, 4) for one in pixels.std(axis=0)[:2]), 1.0]


def test_a_line_of_pixels_is_cropped_in_little_memory():
    """Its shorter side brought to the size, the longer would be of 25 million pixels."""
    line = np.zeros((1, 100000, 3), "uint8")
    line[:, 49000:51000] = 200
    tracemalloc.start()
    assert (resize(line, 224, "crop") == 200).all()
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_what_is_transparent_keeps_the_colour_it_has(tmp_path):
    """As `convert("RGB")` does, which other readers of image folders use as well."""
    for number, mode in enumerate(["RGBA", "LA"]):
        picture = Image.new(mode, (2, 2), (90,) * (len(mode) - 1) + (0,))
        picture.save(tmp_path / f"{number}.png")
        np.testing.assert_array_equal(read_image(tmp_path / f"{number}.png"), 90)


def test_threads_wait_until_there_is_room_for_their_pixels(tmp_path, monkeypatch):
    """Images of 12 pixels, and room for 30: never more than two at once, whatever the threads."""
    Image.new("RGB", (4, 3)).save(tmp_path / "a.png")
    monkeypatch.setattr("tfcil.data.images._ROOM", images._Room(30))
    lock, inside, most = threading.Lock(), [], []

    def fit(image):
        with lock:
            inside.append(image)
            most.append(len(inside))
        time.sleep(0.002)
        with lock:
            inside.pop()
        return image

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: read_image(tmp_path / "a.png", fit), range(40)))
    assert max(most) == 2


def test_a_checked_file_has_the_digest_of_its_bytes(tmp_path):
    for suffix in ("png", "jpg", "webp", "gif", "bmp"):
        file = tmp_path / f"a.{suffix}"
        Image.fromarray(GRADIENT).save(file)
        assert check_image(file) == hashlib.sha256(file.read_bytes()).digest()
