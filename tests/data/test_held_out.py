"""What is held out depends on each image alone, but for the two rules that keep sides non-empty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcil.data.held_out import held_out, pixel_digest, position

DIGESTS = st.lists(st.binary(min_size=32, max_size=32), min_size=2, unique=True)
FRACTIONS = st.floats(0.001, 0.999)


def digest(number):
    return int(number * 2**64).to_bytes(8, "big") + bytes(24)


@given(DIGESTS, FRACTIONS)
def test_both_sides_have_an_image(digests, fraction):
    held = held_out(digests, fraction)
    assert held.any()
    assert not held.all()


@given(DIGESTS, FRACTIONS)
def test_the_rule_is_the_threshold_or_one_of_the_two_exceptions(digests, fraction):
    held = dict(zip(digests, held_out(digests, fraction), strict=True))
    below = {one: position(one) < fraction for one in digests}
    moved = [one for one in digests if held[one] != below[one]]
    assert moved in ([], [min(digests)] if not any(below.values()) else [max(digests)])


@given(DIGESTS, DIGESTS, FRACTIONS)
def test_more_images_move_none_of_a_class_on_both_sides(digests, more, fraction):
    """And of one that needed an exception they move one image at most, back to where it belongs."""
    both = list(dict.fromkeys([*digests, *more]))
    before = held_out(digests, fraction)
    after = held_out(both, fraction)[: len(digests)]
    below = np.array([position(one) < fraction for one in digests])
    moved = np.flatnonzero(before != after)
    if below.any() and not below.all():
        assert len(moved) == 0
    assert len(moved) <= 1
    assert all(after[index] == below[index] for index in moved)


@given(st.lists(st.sampled_from([digest(0.1), digest(0.5), digest(0.9)]), min_size=1), FRACTIONS)
def test_equal_images_are_on_one_side(digests, fraction):
    held = held_out(digests, fraction)
    for one in set(digests):
        assert (
            len({bool(side) for side, other in zip(held, digests, strict=True) if other == one})
            == 1
        )


@pytest.mark.parametrize(
    ("kept", "held", "fraction", "expected"),
    [
        (False, False, 0.05, [True, False]),
        (False, True, 0.05, [False, False]),
        (True, False, 0.95, [True, True]),
        (False, False, 0.95, [True, False]),
        (True, True, 0.5, [True, False]),
    ],
)
def test_a_side_that_has_images_needs_no_exception(kept, held, fraction, expected):
    digests = [digest(0.1), digest(0.9)]
    assert held_out(digests, fraction, some_kept=kept, some_held=held).tolist() == expected


def test_nothing_is_held_out_of_nothing():
    assert held_out([], 0.5).tolist() == []


def test_about_the_fraction_is_held_out():
    """Of real digests: 10,000 at 0.1 give 1,000, with a deviation of 30."""
    digests = [pixel_digest(np.array([number])) for number in range(10000)]
    assert 880 < held_out(digests, 0.1).sum() < 1120


def test_the_digest_of_pixels_sees_shape_and_values():
    image = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    others = [image.reshape(1, 4, 3), image + 1]
    assert pixel_digest(image) == pixel_digest(np.asfortranarray(image))
    assert pixel_digest(image) not in [pixel_digest(other) for other in others]
