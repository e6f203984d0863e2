"""Run lengths, against pycocotools; and those that are made to harm."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as run_length

from scenes.pictures.run_lengths import RunLengthError, coco_fields, decoded, decompressed, encoded

MASKS = arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.booleans())


@settings(max_examples=200)
@given(MASKS)
def test_run_lengths_are_those_of_pycocotools_both_ways(mask):
    theirs = run_length.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = encoded(mask)
    assert ours == {"size": list(theirs["size"]), "counts": theirs["counts"].decode()}
    np.testing.assert_array_equal(decoded(ours, mask.shape), mask)
    np.testing.assert_array_equal(run_length.decode(ours).astype(bool), mask)
    plain = {"size": ours["size"], "counts": decompressed(ours["counts"])}
    np.testing.assert_array_equal(decoded(plain, mask.shape), mask)
    fields = coco_fields(mask)
    assert fields["area"] == run_length.area(theirs)
    if mask.any():
        assert fields["bbox"] == run_length.toBbox(theirs).tolist()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (None, "a size of None"),
        ({"size": [3, 5], "counts": "0"}, r"a size of \[3, 5\]; expected \[4, 5\]"),
        ({"size": [4, 5], "counts": 7}, "neither a string nor numbers"),
        ({"size": [4, 5], "counts": [-1, 21]}, "neither a string nor numbers"),
        ({"size": [4, 5], "counts": [True, 19]}, "neither a string nor numbers"),
        ({"size": [4, 5], "counts": [3, 4]}, "counts of 7 pixels; expected 20"),
        ({"size": [4, 5], "counts": "o"}, "cut off"),
        ({"size": [4, 5], "counts": "oooooooooooooo0"}, "with characters"),
        ({"size": [4, 5], "counts": "\x7f"}, "with characters"),
        ({"size": [4, 5], "counts": "é"}, "with characters"),
        ({"size": [4, 5], "counts": "ooooooO"}, "neither a string nor numbers|counts of"),
    ],
)
def test_run_lengths_of_other_pictures_or_none_are_refused(written, told):
    with pytest.raises(RunLengthError, match=told):
        decoded(written, (4, 5))


@settings(max_examples=300)
@given(st.text(st.characters(min_codepoint=40, max_codepoint=120), max_size=12))
def test_any_string_is_a_mask_or_refused(counts):
    try:
        mask = decoded({"size": [4, 5], "counts": counts}, (4, 5))
    except RunLengthError:
        return
    assert mask.shape == (4, 5)
    np.testing.assert_array_equal(run_length.decode({"size": [4, 5], "counts": counts}).astype(bool), mask)
