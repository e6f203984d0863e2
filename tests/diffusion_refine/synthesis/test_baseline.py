"""The method `baseline`: pipelines of diffusers as they are, in the masks alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionImg2ImgPipeline
from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

from diffusion_refine.synthesis.baseline.kind import Kind
from diffusion_refine.synthesis.baseline.pipelines import Asked, control_picture, load_baseline
from scenes import Dataset
from scenes.pictures.reading import read_photograph
from tests.command.told import Run, contents, runner
from tests.diffusion_refine.synthesis.labelled_sets import mvtec_set, saved, surface


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def models(tiny_model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained models of 64 pixels a side: two families, a ControlNet, and what estimates depth."""
    folder = tmp_path_factory.mktemp("models")
    for family in ("sd15", "sdxl"):
        tiny_model(family).pipeline.save_pretrained(folder / family, safe_serialization=True)
    torch.manual_seed(0)
    control = ControlNetModel.from_unet(tiny_model("sd15").unet, conditioning_embedding_out_channels=(8, 8, 8, 16))
    for layer in (control.controlnet_cond_embedding.conv_out, control.controlnet_mid_block):
        torch.nn.init.normal_(layer.weight, std=0.5)  # zero as they begin, and without effect
    control.save_pretrained(folder / "control", safe_serialization=True)
    shape = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    DPTForDepthEstimation(shape).save_pretrained(folder / "depth", safe_serialization=True)
    DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder / "depth")
    return folder


@pytest.mark.parametrize(
    ("kind", "family", "shape", "dtype"),
    [
        ("inpaint", "sd15", (70, 90), np.uint8),
        ("inpaint", "sdxl", (64, 64, 3), np.uint8),
        ("sdedit", "sdxl", (60, 130, 3), np.uint16),
        ("canny", "sd15", (64, 80), np.uint8),
        ("depth", "sd15", (64, 64, 3), np.uint8),
    ],
)
def test_every_kind_changes_the_masks_alone_and_again_the_same(
    models: Path, tmp_path: Path, run: Run, kind: str, family: str, shape: tuple[int, ...], dtype: type
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, shape), dtype)
    asked = [picture, "--method", "baseline", "--kind", kind, "--model", models / family, "--class", "crack"]
    asked += ["--steps", 2, "--count", 2]
    asked += ["--controlnet", models / "control"] if kind in ("canny", "depth") else []
    asked += ["--depth-model", models / "depth"] if kind == "depth" else []
    for out in ("first", "again"):
        told = run("synthesize", *asked, "--out", tmp_path / out)
        assert told.code == 0, told
    assert contents(tmp_path / "first") == contents(tmp_path / "again")
    before = read_photograph(picture).pixels
    for frame in Dataset(tmp_path / "first"):
        marked = frame.defects > 0
        assert marked.any()
        assert frame.image.dtype == dtype
        assert np.array_equal(frame.image[~marked], before[~marked])
        assert not np.array_equal(frame.image[marked], before[marked])
        record = frame.refinement or {}
        assert record["method"] == f"baseline {kind}"
        assert record["model"]["name"] == family
        assert record["pasted"][0]["prompt"] == "photo of a crack defect image"


def test_a_defect_is_what_the_pipeline_itself_makes(models: Path, tmp_path: Path, run: Run) -> None:
    mvtec_set(tmp_path / "tiles", (64, 64))
    picture = saved(tmp_path / "good.png", surface(1, (64, 64, 3)))
    asked = (picture, "--method", "baseline", "--kind", "sdedit", "--model", models / "sd15", "--class", "pit")
    told = run(
        "synthesize", *asked, "--masks", tmp_path / "tiles", "--prompt", "a {class} on steel", "--steps", 4,
        "--guidance", 3, "--strength", 0.75, "--out", tmp_path / "out",
    )  # fmt: skip
    assert told.code == 0, told
    (frame,) = Dataset(tmp_path / "out")
    marked = frame.defects > 0
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
        models / "sd15", safety_checker=None, requires_safety_checker=False, feature_extractor=None
    )
    pipeline.set_progress_bar_config(disable=True)
    image = (read_photograph(picture).pixels / 255).astype(np.float32)
    [made] = pipeline(
        "a pit on steel", image=image, strength=0.75, num_inference_steps=4, guidance_scale=3.0,
        generator=torch.Generator().manual_seed(frame.refinement["pasted"][0]["seed"]), output_type="np",
    ).images  # fmt: skip
    assert np.array_equal(frame.image[marked], np.rint(255 * made[marked]))


def test_a_controlnet_sees_edges_and_depth() -> None:
    step = np.full((64, 64, 3), 0.2)
    step[:, 32:] = 0.8
    seen = control_picture(Kind.canny, step, None)
    assert set(np.unique(seen)) == {0.0, 1.0}
    columns = seen.any(axis=(0, 2)).nonzero()[0]
    assert len(columns)
    assert set(columns) <= {31, 32}
    ramp = np.linspace(3.0, 7.0, 64)[:, None].repeat(64, axis=1)
    np.testing.assert_allclose(
        control_picture(Kind.depth, step, lambda picture: ramp)[..., 1], (ramp - 3) / 4, atol=1e-12
    )
    flat = control_picture(Kind.depth, step, lambda picture: np.ones((64, 64)))
    assert not flat.any()


def test_the_control_decides_what_is_made(models: Path) -> None:
    loaded = load_baseline(Kind.canny, str(models / "sd15"), str(models / "control"), None, "cpu")
    plain = np.full((64, 64, 3), 0.5)
    striped = plain + 0.4 * (np.arange(64) // 8 % 2 * 2 - 1)[None, :, None]
    made = [loaded.made(each, np.ones((64, 64), bool), "crack", Asked(2, 2.0, 1.0), 0) for each in (plain, striped)]
    assert not np.allclose(*made)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--kind", "cyclegan"), "inpaint, canny, depth, sdedit"),
        (("--kind", "canny"), "--controlnet: is missing"),
        (("--kind", "depth", "--controlnet", "control"), "--depth-model: is missing"),
        (("--kind", "canny", "--controlnet", "control", "--strength", 0.5), "--strength: is not of --kind canny"),
        (("--kind", "inpaint", "--side", 60), "--side: found 60"),
        (("--kind", "canny", "--controlnet", "./nowhere"), "no such folder"),
        (("--kind", "canny", "--controlnet", "depth"), "could not be loaded"),
    ],
)
def test_what_cannot_be_made_is_refused(
    models: Path, tmp_path: Path, run: Run, options: tuple[object, ...], said: str
) -> None:
    picture = saved(tmp_path / "good.png", surface(1, (64, 64)))
    where = [
        models / str(each) if name == "--controlnet" and (models / str(each)).is_dir() else each
        for name, each in zip(("", *options), options, strict=False)
    ]
    told = run(
        "synthesize", picture, "--method", "baseline", "--model", models / "sd15", "--class", "crack", *where,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert said in told.refusal()
    assert not (tmp_path / "out").exists()
