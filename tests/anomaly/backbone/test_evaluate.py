from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy import ndimage

from anomaly.backbone import evaluate
from anomaly.backbone.derivative_filters import SCALES, DerivativeFilters
from anomaly.backbone.normalisation import standardised
from scenes.formats.sample import GOOD, Sample
from scenes.formats.truth import MaskFile, NothingThere


def test_filters_measure_the_slope_and_the_curvature_of_ramps_and_parabolas():
    x = torch.arange(96.0) / 96
    ramp, parabola = (0.5 * x).expand(3, 96, 96), (0.8 * (x - 0.5) ** 2).expand(3, 96, 96)
    features = DerivativeFilters()(standardised(torch.stack([ramp, parabola])))
    assert features.shape == (2, 16 * len(SCALES), 12, 12)
    grid = features[:, :, 5, 5].reshape(2, len(SCALES), 16)
    for k, scale in enumerate(SCALES):
        # Mean magnitudes of dx, dy, dxx, dyy, dxy; derivatives count in units of the scale.
        assert grid[0, k, :5].tolist() == pytest.approx([0.5 / 96 * scale, 0, 0, 0, 0], abs=2e-4)
        assert float(grid[1, k, 2]) == pytest.approx(1.6 / 96**2 * scale**2, rel=0.03)
        assert float(grid[0, k, 15]) == pytest.approx(float(0.5 * x[40:56].mean()), abs=1e-3)


def test_filters_give_one_patch_for_every_8_pixels_begun():
    for height, width in ((105, 243), (33, 47)):
        assert DerivativeFilters()(torch.zeros(1, 3, height, width)).shape[-2:] == (-(-height // 8), -(-width // 8))


def _sample(group: int, label: str, path: Path = Path("nowhere.png")) -> Sample:
    annotation = NothingThere() if label == GOOD else MaskFile(path.with_suffix(".mask.png"), {None: label})
    return Sample(f"{group}/{label}", f"surface {group}", label, path, annotation)


def test_no_surface_is_in_two_parts_and_only_good_pictures_fill_the_bank():
    samples = [_sample(g, GOOD) for g in range(20) for _ in range(3)] + [_sample(20 + g, "crack") for g in range(9)]
    split = evaluate.split_set(samples, seed=3)
    groups = [{s.group for s in part} for part in (split.bank, *split.parts.values())]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 29
    assert {s.label for s in split.bank} == {GOOD}
    assert all({s.label for s in part} == {GOOD, "crack"} for part in split.parts.values())
    assert len(evaluate.split_set(samples, most=5).bank) == 5


def test_patches_near_a_defect_never_fill_a_bank(tmp_path):
    rng = np.random.default_rng(4)
    defect = np.zeros((75, 90), bool)
    defect[30:33, 41:44] = defect[70, 3] = True
    Image.fromarray(rng.integers(0, 255, (75, 90, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray((255 * defect).astype(np.uint8)).save(tmp_path / "a.mask.png")
    model = evaluate.filled(DerivativeFilters(), [_sample(0, "hole", tmp_path / "a.png")], 500)
    cells = np.zeros((10, 12), bool)
    cells[30 // 8 : 33 // 8 + 1, 41 // 8 : 43 // 8 + 1] = cells[70 // 8, 0] = True
    clear = ~ndimage.binary_dilation(cells, np.ones((5, 5)))
    assert len(torch.unique(model.memory_bank, dim=0)) == clear.sum()


def test_a_name_may_bring_a_file_of_weights(tmp_path):
    torch.manual_seed(7)
    whole = timm.create_model("resnet10t").state_dict()
    save_file(whole, tmp_path / "weights.safetensors")
    extractor = evaluate.extractor_of(f"resnet10t={tmp_path / 'weights.safetensors'}")
    assert torch.equal(extractor.weight_tensors()["conv1.0.weight"], whole["conv1.0.weight"])
    assert extractor.weights == "local weights from weights.safetensors"
    assert evaluate.extractor_of("filters", pretrained=True).backbone == "filters"  # no hub is asked for its weights


def test_figures_of_all_parts_are_those_of_their_pictures_together(tmp_path):
    rng = np.random.default_rng(5)
    samples = []
    for group in range(4):
        picture = rng.normal(120, 4, (64, 64, 1)).repeat(3, axis=2)
        label = GOOD if group % 2 else "hole"
        defect = np.zeros((64, 64), bool)
        if label != GOOD:
            defect[24:40, 24:40] = True
            picture[defect] += 70
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{group}.png")
        Image.fromarray((255 * defect).astype(np.uint8)).save(tmp_path / f"{group}.mask.png")
        samples.append(_sample(group, label, tmp_path / f"{group}.png"))
    model = evaluate.filled(DerivativeFilters(), samples[1:2], 60)
    metrics = evaluate.evaluated(model, {"one": samples[:2], "two": samples[2:]})
    assert metrics["both"].images == 4
    assert metrics["both"].image_auroc == metrics["one"].image_auroc == 1.0
    assert metrics["both"].pixel_auroc == pytest.approx(metrics["two"].pixel_auroc, abs=0.02)
    assert metrics["both"].pixel_auroc > 0.95


def test_figures_of_a_class_are_those_of_its_pictures_beside_the_good_ones(tmp_path):
    rng = np.random.default_rng(6)
    samples = []
    for number, label in enumerate([GOOD, "hole", "crack", GOOD, "hole"]):
        picture = rng.normal(120, 4, (48, 48, 1)).repeat(3, axis=2)
        defect = np.zeros((48, 48), bool)
        if label != GOOD:
            defect[8 : 16 + 4 * number, 8:20] = True
            picture[defect] += 60 * number
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(tmp_path / f"{number}.png")
        Image.fromarray(defect).save(tmp_path / f"{number}_mask.png")
        truth = NothingThere() if label == GOOD else MaskFile(tmp_path / f"{number}_mask.png", {None: label})
        samples.append(Sample(str(number), str(number), label, tmp_path / f"{number}.png", truth))
    model = evaluate.filled(evaluate.extractor_of("filters"), samples[:1], 16)
    found = evaluate.evaluated(model, {"all": samples}, by_class=True)
    assert list(found) == ["all", "all, crack", "all, hole", "both"]
    for label in ("crack", "hole"):
        alone = evaluate.evaluated(model, {label: [s for s in samples if s.label in (GOOD, label)]})[label]
        assert found[f"all, {label}"].as_dict() == alone.as_dict()
    assert found["all"].as_dict() == evaluate.evaluated(model, {"all": samples})["all"].as_dict()
