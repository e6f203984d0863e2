"""An inspector knows its pictures by what they show and what they are called, not by where they lay."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import blemish
from anomaly.inspection.evaluate import evaluate_inspector, unseen
from anomaly.inspection.threshold import ThresholdRule
from anomaly.inspection.train import train_inspector
from procgen.errors import BlemishNote
from scenes.formats.registry import read_samples


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


def test_inspectors_that_knew_pictures_by_their_names_know_those_of_their_bank_by_content(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"parts/{split}/good/{number}.png" for split in ("train", "test") for number in range(3)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(90, 130, (48, 64, 3), dtype=np.uint8)).save(path)
    samples = read_samples(tmp_path / "parts")
    inspector = train_inspector(samples[:3], tmp_path / "bank", size=16, epochs=1, backbone="filters")
    by_name = replace(inspector.training, groups=tuple(f"parts/train/good/{number}" for number in range(3)))
    old = replace(inspector, training=by_name)
    moved = [replace(sample, split="") for sample in samples]  # another split of the same pictures
    kept = {f"content/{key}" for key in by_name.sources}
    assert kept
    assert {sample.group for sample in moved} - {sample.group for sample in unseen(moved, old)} == kept
    with pytest.warns(BlemishNote, match="by an earlier Blemish, which knew pictures by their names: of the"):
        evaluate_inspector(old, moved, None, tmp_path / "report", threshold=ThresholdRule(1.0))
