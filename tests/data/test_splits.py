"""Images come in order and a few at a time, and have one shape."""

import threading
import time

import numpy as np
import pytest

from tfcil.data.splits import Split, of_one_shape
from tfcil.data.threads import map_in_order
from tfcil.errors import UserError


def test_results_come_in_the_order_of_the_items_whichever_is_done_first():
    def slow_first(item):
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(map_in_order(slow_first, range(40))) == [item**2 for item in range(40)]


def test_only_a_few_items_are_taken_ahead(monkeypatch):
    """Whoever reads more images than memory holds relies on it."""
    monkeypatch.setattr("tfcil.data.threads.processors", lambda: 2)
    taken = 0

    def items():
        nonlocal taken
        while taken < 1000:
            taken += 1
            yield taken

    results = map_in_order(str, items())
    ahead = [taken - int(result) for result in results]
    assert 1 <= max(ahead) <= 6


def test_an_error_reaches_the_caller_and_ends_the_threads():
    def fail(item):
        raise UserError(f"item {item}")

    before = threading.active_count()
    with pytest.raises(UserError, match="item 0"):
        list(map_in_order(fail, range(100)))
    assert threading.active_count() == before


def test_functions_are_applied_one_after_the_other_to_the_chosen_alone():
    values = np.arange(6)
    seen = []

    def decode(item):
        seen.append(int(item))
        return item + 1

    split = Split(values, values.__getitem__, decode).map(lambda image: image * 10)
    assert list(split.images(values % 2 == 0)) == [10, 30, 50]
    assert sorted(seen) == [0, 2, 4]


def test_images_of_one_shape_pass_as_they_are():
    images = [np.full((2, 3, 1), value, "uint8") for value in range(4)]
    passed = list(of_one_shape(images, "mine", None, (2, 3, 1)))
    assert all(one is other for one, other in zip(passed, images, strict=True))


@pytest.mark.parametrize("shape", [None, (2, 3, 1)])
def test_images_of_several_shapes_need_a_size(shape):
    images = [np.zeros(shape, "uint8") for shape in ((2, 3, 1), (3, 2, 1))]
    with pytest.raises(UserError, match=r"mine has .* shapes \(2, 3, 1\) and \(3, 2, 1\)") as told:
        list(of_one_shape(images, "mine", None, shape))
    assert str(told.value).startswith("dataset.image_size: ")
    assert str(told.value).endswith("Received: dataset.image_size=None")
