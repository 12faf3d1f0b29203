import numpy as np
import pytest

from tfcil.errors import UserError
from tfcil.exemplars import class_means, nearest_mean


def exemplars_of(stored, key):
    """Rows and labels of the exemplars in `(class, image, dim)` features."""
    picks = stored["exemplars"]
    rows = np.concatenate([stored[key][label, order] for label, order in enumerate(picks)])
    return rows, np.repeat(np.arange(len(picks)), picks.shape[1])


def test_means_and_predictions_equal_lucir(oracle):
    stored = oracle("nme")
    features, labels = exemplars_of(stored, "features")
    flipped, _ = exemplars_of(stored, "features_flipped")
    means = class_means(features, labels, len(stored["exemplars"]), flipped)
    np.testing.assert_allclose(means, stored["lucir_means_icarl"], rtol=1e-9)
    np.testing.assert_array_equal(
        nearest_mean(stored["test_features"], means), stored["lucir_pred_icarl"]
    )
    np.testing.assert_array_equal(
        nearest_mean(stored["test_features"], means), stored["podnet_pred"]
    )


def test_means_of_all_images_equal_lucir(oracle):
    stored = oracle("nme")
    classes, images, width = stored["features"].shape
    means = class_means(
        stored["features"].reshape(-1, width),
        np.repeat(np.arange(classes), images),
        classes,
        stored["features_flipped"].reshape(-1, width),
    )
    np.testing.assert_allclose(means, stored["lucir_means_ncm"], rtol=1e-9)
    np.testing.assert_array_equal(
        nearest_mean(stored["test_features"], means), stored["lucir_pred_ncm"]
    )


def test_means_without_flipped_images_equal_pycil(oracle):
    """Up to the 1e-8 that PyCIL adds to every norm."""
    stored = oracle("nme")
    features, labels = exemplars_of(stored, "features")
    means = class_means(features, labels, len(stored["exemplars"]))
    np.testing.assert_allclose(means, stored["pycil_means"], rtol=1e-6)
    np.testing.assert_array_equal(
        nearest_mean(stored["test_features"], means), stored["pycil_pred"]
    )


def test_means_by_hand():
    """Of (1,0) and (0,1) the mean direction is the diagonal, whatever their lengths were."""
    means = class_means([[5.0, 0.0], [0.0, 0.2], [3.0, 4.0]], [1, 1, 0], 2)
    np.testing.assert_allclose(means, [[0.6, 0.8], [0.5**0.5, 0.5**0.5]])


def test_flipped_images_count_as_much_as_the_images():
    means = class_means([[9.0, 0.0]], [0], 1, flipped=[[0.0, 0.1]])
    np.testing.assert_allclose(means, [[0.5**0.5, 0.5**0.5]])


def test_a_class_without_exemplars_is_never_predicted():
    """Class 0 would win every test image if its missing mean counted as zero or as a score."""
    means = class_means([[1.0, 0.0], [0.0, 1.0]], [1, 2], 4)
    assert np.isnan(means[[0, 3]]).all()
    features = [[1.0, 0.1], [0.1, 1.0], [-1.0, -2.0], [-2.0, -1.0]]
    assert nearest_mean(features, means).tolist() == [1, 2, 1, 2]


def test_without_any_exemplar_there_is_no_prediction():
    means = class_means(np.zeros((0, 3)), np.zeros(0, dtype=np.int32), 2)
    assert np.isnan(means).all()
    with pytest.raises(ValueError, match="at least one class"):
        nearest_mean([[1.0, 2.0, 3.0]], means)


def test_the_nearest_mean_is_the_one_of_least_distance():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(200, 6))
    # Means of unequal norm: then the largest product need not be the nearest.
    means = generator.normal(size=(9, 6)) * generator.uniform(0.1, 2, size=(9, 1))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    distances = ((unit[:, None] - means[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(nearest_mean(features, means), distances.argmin(axis=1))


def test_the_length_of_a_test_feature_does_not_change_its_class(oracle):
    stored = oracle("nme")
    features, means = stored["test_features"], stored["lucir_means_icarl"]
    lengths = np.random.default_rng(0).uniform(0.01, 100, size=(len(features), 1))
    np.testing.assert_array_equal(
        nearest_mean(features * lengths, means), nearest_mean(features, means)
    )


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(UserError, match="finite"):
        class_means([[np.nan, 1.0]], [0], 1)
    with pytest.raises(UserError, match="finite"):
        nearest_mean([[np.inf, 1.0]], [[1.0, 0.0]])


@pytest.mark.parametrize("labels", [[0], [0, 2], [-1, 0], [[0], [1]]])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match="labels must"):
        class_means([[1.0, 0.0], [0.0, 1.0]], labels, 2)
