import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tfcil.errors import UserError
from tfcil.exemplars import SELECTIONS, herding, random_selection
from tfcil.exemplars.selection import normalize_rows

matrices = npst.arrays(
    np.float64,
    st.tuples(st.integers(1, 25), st.integers(1, 4)),
    elements=st.integers(-3, 3).map(float) | st.floats(-10, 10),
)


def herding_cases(stored):
    return [key.removesuffix("_lucir_order") for key in stored if key.endswith("_lucir_order")]


def test_herding_gives_every_official_order(oracle):
    """Also where the official loop repeats itself, and up to where it gives up."""
    stored = oracle("herding")
    cases = herding_cases(stored)
    assert cases
    for case in cases:
        expected, count = stored[f"{case}_lucir_order"], int(stored[f"{case}_m"])
        order = herding(stored[f"{case}_features"], count)
        np.testing.assert_array_equal(order[: len(expected)], expected, err_msg=case)


def test_trap_3_herding_always_returns_as_many_as_asked_for_or_there_are(oracle):
    """The official loop returns fewer when 1000 rounds do not suffice."""
    stored = oracle("herding")
    for case in herding_cases(stored):
        features = stored[f"{case}_features"]
        order = herding(features, len(features) + 5)
        assert sorted(order.tolist()) == list(range(len(features))), case


def test_herding_by_hand():
    """Row 2 wins a second time before row 0 is picked; without that round, 3 would precede 0.

    The rows have norm 1 and the mean (1, 0, 1, 1) / 4. The rounds, every number exact:
    w = (1, 0, 1, 1) / 4     scores 1/4   0    3/8   1/8   picks 2
    w = (0, 1/2, 0, 0)       scores  0   1/2  -1/4  -1/4   picks 1
    w = (1, -2, 1, 1) / 4    scores 1/4 -1/2   5/8   3/8   2 again, but w moves on
    w = (0, 0, 0, 0)         scores  0    0     0     0    picks 0, the first of equals
    w = (-3, 0, 1, 1) / 4    scores -3/4  0   -1/8   5/8   picks 3
    """
    features = [[1, 0, 0, 0], [0, 1, 0, 0], [0.5, -0.5, 0.5, 0.5], [-0.5, -0.5, 0.5, 0.5]]
    assert herding(features, 4).tolist() == [2, 1, 0, 3]


@settings(deadline=None)
@given(matrices, st.data())
def test_herding_of_fewer_is_a_prefix_of_herding_of_more(features, data):
    """Truncation by rank relies on it."""
    more = data.draw(st.integers(0, len(features) + 2))
    fewer = data.draw(st.integers(0, more))
    np.testing.assert_array_equal(herding(features, fewer), herding(features, more)[:fewer])


@settings(deadline=None)
@given(matrices, st.integers(0, 30))
def test_herding_returns_distinct_rows(features, count):
    order = herding(features, count)
    assert order.dtype == np.int64
    assert len(set(order.tolist())) == len(order) == min(count, len(features))
    assert set(order.tolist()) <= set(range(len(features)))


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 70), st.integers(0, 1000))
def test_equal_samples_are_picked_first_come_first(copies, width, seed):
    """Equal rows must score equal to the last bit, whatever their place in the matrix."""
    row = np.random.default_rng(seed).normal(size=width)
    np.testing.assert_array_equal(herding(np.tile(row, (copies, 1)), copies), np.arange(copies))


def test_the_length_of_a_feature_does_not_matter():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(30, 5))
    # Powers of two scale without rounding.
    scaled = features * 2.0 ** generator.integers(-8, 8, size=(30, 1))
    np.testing.assert_array_equal(herding(features, 30), herding(scaled, 30))


def test_float32_features_are_herded_in_float64(oracle):
    features = oracle("herding")["main_features"].astype(np.float32)
    expected = herding(features.astype(np.float64), 50)
    np.testing.assert_array_equal(herding(features, 50), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused(bad):
    with pytest.raises(UserError, match=r"finite.*Received: 1 of 3 rows"):
        herding([[1.0, 2.0], [bad, 1.0], [0.0, 1.0]], 2)


def test_a_feature_of_zeros_stays_zero_and_can_be_picked_last():
    np.testing.assert_array_equal(normalize_rows([[0.0, 0.0], [3.0, 4.0]]), [[0, 0], [0.6, 0.8]])
    assert herding([[0.0, 0.0], [3.0, 4.0], [4.0, 3.0]], 3).tolist()[-1] == 0


def test_herding_of_nothing_is_empty():
    assert herding(np.zeros((0, 4)), 3).shape == (0,)
    assert herding(np.ones((4, 4)), 0).shape == (0,)


def test_features_that_are_no_matrix_are_refused():
    with pytest.raises(ValueError, match=r"matrix.*Received: shape=\(4,\)"):
        herding(np.ones(4), 2)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_negative_count_is_refused(selection):
    with pytest.raises(ValueError, match="count=-1"):
        SELECTIONS[selection](np.ones((4, 2)), -1, np.random.default_rng(0))


@pytest.mark.parametrize("selection", SELECTIONS)
def test_selections_share_one_signature_and_repeat_with_the_seed(selection):
    features = np.random.default_rng(1).normal(size=(12, 3))
    select = SELECTIONS[selection]
    first = select(features, 5, np.random.default_rng(7))
    assert len(set(first.tolist())) == 5
    np.testing.assert_array_equal(first, select(features, 5, np.random.default_rng(7)))
    np.testing.assert_array_equal(first, select(features, 20, np.random.default_rng(7))[:5])


def test_random_selection_draws_every_sample_equally_often():
    generator = np.random.default_rng(0)
    draws = [random_selection(np.zeros((4, 1)), 2, generator) for _ in range(4000)]
    counts = np.bincount(np.concatenate(draws), minlength=4)
    # 2000 expected each, standard deviation 32.
    assert np.all(np.abs(counts - 2000) < 160)


def test_random_selection_without_a_generator_is_refused():
    with pytest.raises(ValueError, match="Received: generator=None"):
        random_selection(np.zeros((4, 1)), 2, None)
