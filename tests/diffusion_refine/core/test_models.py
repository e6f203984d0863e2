"""Models against what their pipelines say, and models that cannot be used."""

import json
import os
import shutil

import pytest
import torch
from diffusers import DDIMScheduler

from diffusion_refine.core import models
from diffusion_refine.core.models import CallCounter, Model, ModelError, Prompt, frozen, load_model

TEXTS = ["photo of a crack defect", ""]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_the_empty_prompt_is_encoded_and_not_zeroed(tiny_model, family):
    model = tiny_model(family)
    wanted = model.pipeline.encode_prompt(
        TEXTS[0], device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True, negative_prompt=""
    )
    found = model.encode_prompt(TEXTS)
    assert torch.allclose(found.embeddings[:1], wanted[0], atol=1e-5)
    assert torch.allclose(found.embeddings[1:], wanted[1], atol=1e-5)
    assert found.embeddings[1].std() > 0.1
    if family == "sdxl":
        assert torch.allclose(found.pooled, torch.cat([wanted[2], wanted[3]]), atol=1e-5)
        zeroed = model.pipeline.encode_prompt(TEXTS[0], device="cpu", num_images_per_prompt=1)
        assert not zeroed[1].any()  # what the pipeline does when it is not asked
        assert found.time_ids.tolist() == [[64, 64, 0, 0, 64, 64]] * 2
        assert model.encode_prompt([""], size=(32, 96)).time_ids.tolist() == [[32, 96, 0, 0, 32, 96]]


def test_a_velocity_becomes_the_noise_of_the_same_clean_picture(tiny_model):
    model, latents = tiny_model("sd21"), normal(1, 4, 8, 8)
    prompt = model.encode_prompt(TEXTS[:1])
    with torch.no_grad():
        velocity = model.unet(latents, 321, encoder_hidden_states=prompt.embeddings).sample
        epsilon = model.noise(latents, 321, prompt)
    scheduler = DDIMScheduler.from_config(model.pipeline.scheduler.config)
    scheduler.set_timesteps(50)
    wanted = scheduler.step(velocity, 321, latents).pred_original_sample
    alpha = float(scheduler.alphas_cumprod[321])
    assert torch.allclose((latents - (1 - alpha) ** 0.5 * epsilon) / alpha**0.5, wanted, atol=1e-5)


def test_latents_are_the_mode_scaled_and_shifted_as_the_config_says(tiny_model):
    model, images = tiny_model("sd15", latent_channels=8), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        mode = model.vae.encode(images * 2 - 1).latent_dist.mean
    assert torch.allclose(model.encode(images), mode * 0.18215, atol=1e-6)
    plain = model.decode(model.encode(images))
    assert plain.shape == images.shape
    assert 0 <= plain.min() <= plain.max() <= 1
    model.vae.register_to_config(shift_factor=0.3)
    assert torch.allclose(model.encode(images), (mode - 0.3) * 0.18215, atol=1e-6)
    assert torch.allclose(model.decode(model.encode(images)), plain, atol=1e-5)
    mean, deviation = [0.1 * k for k in range(8)], [1.0 + k for k in range(8)]
    model.vae.register_to_config(latents_mean=mean, latents_std=deviation)
    wanted = (mode - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[:, None, None] * 0.18215
    assert torch.allclose(model.encode(images), wanted, atol=1e-6)
    assert torch.allclose(model.decode(model.encode(images)), plain, atol=1e-5)


def test_a_picture_of_broken_texels_is_refused(tiny_model):
    with pytest.raises(ModelError, match=r"60 × 64 pixels .* multiples of 8"):
        tiny_model("sd15").encode(torch.zeros(1, 3, 64, 60))


def test_the_tally_counts_calls_and_pictures(tiny_model):
    model = tiny_model("sd15")
    with torch.no_grad():
        model.noise(normal(3, 4, 8, 8), 1, model.encode_prompt(TEXTS[:1]))
    assert model.calls == CallCounter(forwards=1, samples=3)
    assert (model.size, model.factor, model.latent_channels, model.family) == (64, 8, 4, "sd")


def test_prompts_are_batches():
    both = Prompt(normal(2, 3, 4), normal(2, 5), normal(2, 6), ("a", "b"))
    assert torch.equal(both[1].embeddings, both.embeddings[1:])
    assert torch.equal(both[-1].pooled, both.pooled[1:])
    assert both[1].texts == ("b",)
    assert Prompt.stack([both, both[:1]]).texts == ("a", "b", "a")
    assert torch.equal(both[0].expand(3).time_ids, both.time_ids[[0, 0, 0]])
    assert both.expand(2) is both
    assert Prompt.stack([both.replace(pooled=None, time_ids=None)] * 2).pooled is None
    with pytest.raises(ValueError, match="2 prompts cannot serve 3 pictures"):
        both.expand(3)


def test_weights_are_frozen_until_the_end_also_of_a_failure():
    layer = torch.nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    seen = []

    def fail():
        with frozen(layer):
            seen.append(layer.weight.requires_grad)
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert seen == [False]
    assert layer.weight.requires_grad
    assert not layer.bias.requires_grad


@pytest.fixture(scope="module")
def saved(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "sdxl"
    tiny_model("sdxl").pipeline.save_pretrained(folder)
    return folder


def test_a_folder_is_loaded_as_it_was_saved_and_without_a_word(tiny_model, saved, capfd):
    capfd.readouterr()
    found, wanted = load_model(str(saved), device="cpu"), tiny_model("sdxl")
    assert capfd.readouterr() == ("", "")
    latents = normal(1, 4, 8, 8)
    with torch.no_grad():
        pair = [model.noise(latents, 500, model.encode_prompt(TEXTS[:1])) for model in (found, wanted)]
    assert torch.allclose(*pair, atol=1e-5)  # not the same bits: weights read from a file lie elsewhere in memory
    assert (found.family, found.size, found.name) == ("sdxl", 64, str(saved))


def test_half_precision_keeps_the_autoencoder_whole(saved):
    found = load_model(str(saved), device="cpu", dtype=torch.bfloat16)
    assert (found.dtype, found.vae.dtype) == (torch.bfloat16, torch.float32)
    with torch.no_grad():
        assert found.noise(normal(1, 4, 8, 8), 500, found.encode_prompt(TEXTS[:1])).dtype == torch.float32


def copied(saved, tmp_path):
    """A folder to spoil; what is not spoilt is linked."""
    return shutil.copytree(
        saved, tmp_path / "copy", copy_function=lambda a, b: shutil.copy(a, b) if a.endswith("json") else os.link(a, b)
    )


def test_models_that_cannot_be_used_are_refused(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "EMBEDDED_FOLDER", tmp_path / "nowhere")
    for name in ("embedded", str(tmp_path / "nowhere"), "./nowhere", "nowhere"):
        with pytest.raises(ModelError, match="no such folder"):
            load_model(name, device="cpu")
    with pytest.raises(ModelError, match=r"holds no model_index\.json"):
        load_model(str(tmp_path), device="cpu")
    other = copied(saved, tmp_path)
    index = json.loads((other / "model_index.json").read_text())
    (other / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableDiffusionXLInpaintPipeline"}))
    with pytest.raises(ModelError, match="is a StableDiffusionXLInpaintPipeline, allowed are"):
        load_model(str(other), device="cpu")
    (other / "model_index.json").write_text("{")
    with pytest.raises(ModelError, match=r"model_index\.json could not be had"):
        load_model(str(other), device="cpu")


def test_weights_that_are_cut_short_or_pickled_are_refused(saved, tmp_path):
    other = copied(saved, tmp_path)
    weights = other / "unet" / "diffusion_pytorch_model.safetensors"
    beginning = weights.read_bytes()[:100_000]
    weights.unlink()
    weights.write_bytes(beginning)
    with pytest.raises(ModelError, match="weights could not be loaded"):
        load_model(str(other), device="cpu")
    weights.unlink()
    torch.save({}, weights.with_name("diffusion_pytorch_model.bin"))
    with pytest.raises(ModelError, match="weights could not be loaded"):
        load_model(str(other), device="cpu")


def test_the_hub_out_of_reach_is_said(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="check the id and the network"):
        load_model("nobody/no-such-model", device="cpu")


def test_models_for_other_tasks_are_refused(tiny_model):
    pipeline = tiny_model("sd15").pipeline
    pipeline.vae.register_to_config(latent_channels=3)
    with pytest.raises(ModelError, match="4 channels for 3 of latents"):
        Model(pipeline)
    pipeline.unet.register_to_config(in_channels=7)
    assert Model(pipeline).paints
    pipeline.unet.register_to_config(in_channels=4)
    pipeline.vae.register_to_config(latent_channels=4)
    pipeline.unet.register_to_config(time_cond_proj_dim=256)
    with pytest.raises(ModelError, match="give its base"):
        Model(pipeline)


@torch.no_grad()
def test_low_memory_makes_the_same_and_leaves_what_rests_where_it_was(saved):
    plain, lean = (load_model(str(saved), device="cpu", low_memory=low) for low in (False, True))
    assert lean.vae.use_slicing
    assert lean.vae.use_tiling
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(lean.encode(images), plain.encode(images), atol=1e-5)
    latents = plain.encode(images)
    assert torch.allclose(lean.decode(latents), plain.decode(latents), atol=1e-5)
    pair = [model.encode_prompt(TEXTS) for model in (lean, plain)]
    assert torch.equal(pair[0].embeddings, pair[1].embeddings)
    assert lean.recorded == 0  # what moves is not where a recording has it
