"""Whatever is changed in an inspector's file is noticed."""

import shutil

import numpy as np
import pytest

from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError
from anomaly.inspection.train import train_inspector
from anomaly.inspection.verify import damages, repair
from procgen.errors import BlemishNote
from scenes.formats.registry import read_samples


def test_flipped_bits_of_a_bank_are_noticed(folders, tmp_path):
    train_inspector(read_samples(folders[0]), tmp_path / "bank", backbone="untrained", image_size=80, size=50, epochs=1)
    assert not list(damages(tmp_path / "bank"))
    whole = (tmp_path / "bank" / BANK_FILE).read_bytes()
    shutil.copytree(tmp_path / "bank", tmp_path / "damaged")
    header = 8 + int.from_bytes(whole[:8], "little")
    rng = np.random.default_rng(0)
    for bit in (*rng.integers(0, 8 * header, 60), *rng.integers(8 * header, 8 * len(whole), 30)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / "damaged" / BANK_FILE).write_bytes(changed)
        with pytest.raises(InspectorError, match=BANK_FILE):
            Inspector.load(tmp_path / "damaged")
        assert len(list(damages(tmp_path / "damaged"))) == 1
    assert "train it again" in repair(tmp_path / "damaged")


def test_a_damaged_inspector_is_trained_anew(folders, tmp_path):
    def train():
        samples = read_samples(folders[0])
        train_inspector(samples, tmp_path / "bank", backbone="untrained", image_size=80, size=50, epochs=1)

    train()
    path = tmp_path / "bank" / BANK_FILE
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(damaged)
        with pytest.warns(BlemishNote, match="it is trained anew"):
            train()
        assert path.read_bytes() == whole
