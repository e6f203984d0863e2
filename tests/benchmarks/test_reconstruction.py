"""The table of reconstruction on an untrained model in a folder, beside an id that is not here."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.diffusion import Bench, Case
from benchmarks.reconstruction import MODELS, table
from diffusion_refine.core.models import Model
from diffusion_refine.inversion.methods import InversionSettings
from diffusion_refine.inversion.null_embedding import NullSettings
from diffusion_refine.metrics.fidelity import lpips, psnr
from diffusion_refine.training.model_shapes import Shape, build_pipeline


def test_what_is_here_is_measured_and_what_is_not_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alexnet = pytest.importorskip("torchvision").models.alexnet(weights=None)
    weights = {name: value for name, value in alexnet.state_dict().items() if name.startswith("features.")}
    save_file(weights, tmp_path / "alexnet.safetensors")
    folder = tmp_path / "untrained"
    shape = Shape(size=64, autoencoder=(16, 32, 48), unet=(16, 16, 32), head=8, text=32, text_layers=1)
    build_pipeline(shape).save_pretrained(folder, safe_serialization=True)
    picture = np.random.default_rng(0).uniform(size=(64, 64, 3)).astype(np.float32)
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def likeness(before: np.ndarray, after: np.ndarray) -> float:
        seen.append((before, after))
        return lpips(before, after, tmp_path / "alexnet.safetensors")

    def measured(model: Model) -> Bench:
        settings = InversionSettings(2, null=NullSettings(updates=1))
        return Bench(model, [Case("drawn", picture, "photo of a crack defect on a ground tile")], settings, likeness)

    monkeypatch.setitem(MODELS, str(folder), MODELS["CompVis/stable-diffusion-v1-4"])
    rows = table(["nobody/has-this-model", str(folder)], measured, "cpu")
    assert "not run: nobody/has-this-model: is not in the hub's cache on this machine" in capsys.readouterr().err
    assert [row["RLI"] for row in rows] == ["", 0.1]
    assert [row["PSNR, paper"] for row in rows] == [29.61, 29.73]
    for row, (before, after) in zip(rows, seen, strict=True):
        assert row["drawn PSNR"] == pytest.approx(psnr(before, after))
        assert row["drawn LPIPS"] == pytest.approx(lpips(before, after, tmp_path / "alexnet.safetensors"))
    assert torch.is_grad_enabled()
