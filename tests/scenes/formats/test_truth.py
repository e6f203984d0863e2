import numpy as np
import pytest
from skimage.measure import label

from scenes.formats.truth import of_components


@pytest.mark.parametrize("seed", range(8))
def test_components_are_numbered_as_scikit_image_numbers_them(seed):
    rng = np.random.default_rng(seed)
    values = rng.choice(4, (37, 53), p=[0.7, 0.1, 0.1, 0.1]).astype([np.uint8, np.uint16, np.int32][seed % 3])
    truth = of_components(values, {1: "crack", 3: "dent", None: "other"})
    expected = []
    for name, own in (("crack", values == 1), ("dent", values == 3), ("other", values == 2)):
        numbers, count = label(own, connectivity=2, return_num=True)
        expected += [(name, numbers == number) for number in range(1, count + 1)]
    assert len(truth.instances) == len(expected)
    for found, (name, mask) in zip(truth.instances, expected, strict=True):
        assert found.class_name == name
        assert np.array_equal(found.mask, mask)
    assert np.array_equal(truth.defect, values > 0)
