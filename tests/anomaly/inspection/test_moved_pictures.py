"""An inspector knows its pictures by what they show and what they are called, not by where they lay."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import blemish


def test_pictures_under_another_path_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "here" / "parts"
    for number in range(3):
        path = folder / "train" / "good" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(90, 130, (48, 64, 3), dtype=np.uint8)).save(path)
    shutil.copytree(folder, tmp_path / "there" / "deeper" / "parts")
    monkeypatch.chdir(tmp_path / "there")
    banks = []
    for given in (str(folder), "deeper/parts", "../there/deeper/parts/"):
        out = tmp_path / f"bank{len(banks)}"
        assert blemish.run(["train", given, "--size", "16", "--epochs", "1", "--out", str(out)]) == 0
        banks.append((out / "bank.safetensors").read_bytes())
    assert banks[0] == banks[1] == banks[2]
    assert str(tmp_path).encode() not in banks[0]
