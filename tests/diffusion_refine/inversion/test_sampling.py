"""The loop against unmodified pipelines of diffusers, and what its branches are."""

import pytest
import torch
from diffusers import DDIMScheduler

from diffusion_refine.core.attention import residual_interpolation
from diffusion_refine.core.models import CallCounter
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.methods import ClassifierFree, InversionSettings, prepare
from diffusion_refine.inversion.sampling import controlling, denoise, edit
from diffusion_refine.prompt_to_prompt.controllers import Controller
from procgen.errors import BlemishError

TEXTS = ["photo of a crack defect", "photo of a good ground steel plate"]
STEPS, SCALE = 3, 5.0


def noise(model, count, seed=1):
    side = model.size // model.factor
    return torch.randn(count, model.latent_channels, side, side, generator=torch.Generator().manual_seed(seed))


def by_diffusers(model, latents):
    """Latents that the model's own pipeline makes of TEXTS with a DDIM scheduler."""
    pipeline = model.pipeline
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    return pipeline(
        prompt=TEXTS,
        negative_prompt=[""] * len(TEXTS),
        latents=latents,
        num_inference_steps=STEPS,
        guidance_scale=SCALE,
        output_type="latent",
    ).images


def by_us(model, latents, **options):
    guidance = ClassifierFree(model.encode_prompt([""] * len(TEXTS)), SCALE)
    return denoise(model, latents, model.encode_prompt(TEXTS), guidance, Schedule(model, STEPS), **options)


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_guided_denoising_equals_the_pipeline_bit_for_bit(tiny_model, family):
    model = tiny_model(family)
    latents = noise(model, len(TEXTS))
    wanted = by_diffusers(model, latents)
    assert torch.equal(by_us(model, latents), wanted)
    assert torch.equal(by_us(model, latents, control=controlling(model, Controller())), wanted)
    with residual_interpolation(model.unet, alpha=0):
        assert torch.equal(by_us(model, latents), wanted)
    with residual_interpolation(model.unet, alpha=0.1):
        assert not torch.equal(by_us(model, latents), wanted)


def test_a_model_of_velocities_is_denoised_as_its_pipeline_does(tiny_model):
    model = tiny_model("sd21")
    latents = noise(model, len(TEXTS))
    wanted = by_diffusers(model, latents)
    # The pipeline guides velocities, we guide noise: the same but for rounding.
    assert (by_us(model, latents) - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_guidance_of_one_asks_for_the_prompts_alone(tiny_model):
    model = tiny_model("sd15")
    latents, prompt = noise(model, 1), model.encode_prompt(TEXTS[:1])
    guidance = ClassifierFree(model.encode_prompt([""]), 1.0)
    model.calls = CallCounter()
    denoise(model, latents, prompt, guidance, Schedule(model, STEPS))
    assert model.calls == CallCounter(forwards=STEPS, samples=STEPS, backwards=0)


def test_denoising_may_begin_at_a_later_step(tiny_model):
    model = tiny_model("sd15")
    prompt, schedule = model.encode_prompt(TEXTS[:1]), Schedule(model, STEPS)
    guidance = ClassifierFree(prompt, 1.0)
    states = []
    whole = denoise(
        model,
        noise(model, 1),
        prompt,
        guidance,
        schedule,
        blend=lambda latents, index, steps: states.append((index, steps, latents)) or latents,
    )
    assert [state[:2] for state in states] == [(index, STEPS) for index in range(STEPS)]
    assert torch.equal(denoise(model, states[0][2], prompt, guidance, schedule, start=1), whole)


def test_a_blend_decides_what_goes_on(tiny_model):
    model = tiny_model("sd15")
    prompt = model.encode_prompt(TEXTS[:1])
    found = denoise(
        model,
        noise(model, 1),
        prompt,
        ClassifierFree(prompt, 1.0),
        Schedule(model, STEPS),
        blend=lambda latents, index, steps: torch.full_like(latents, 7.0) if index == steps - 1 else latents,
    )
    assert (found == 7).all()


@pytest.mark.parametrize("method", ["direct", "null", "negative-prompt"])
def test_a_target_of_the_same_words_is_the_source(tiny_model, method):
    model = tiny_model("sd15")
    prompt = model.encode_prompt(TEXTS[:1])
    source = prepare(method, model, noise(model, 1), prompt, InversionSettings(steps=STEPS, guidance_scale=SCALE))
    found = edit(model, source, model.encode_prompt([TEXTS[0], TEXTS[1]]))
    assert found.shape[0] == 3
    assert torch.allclose(found[0], edit(model, source)[0], atol=1e-4 * float(found.abs().max()))
    assert torch.allclose(found[1], found[0], atol=1e-4 * float(found.abs().max()))
    assert (found[2] - found[0]).abs().max() > 1e-2 * found.abs().max()


def test_several_pictures_are_brought_back_at_once_but_edited_one_by_one(tiny_model):
    model = tiny_model("sd15")
    source = prepare(
        "negative-prompt", model, noise(model, 2), model.encode_prompt(TEXTS), InversionSettings(steps=STEPS)
    )
    both = edit(model, source)
    for picture in range(2):
        alone = edit(model, source[picture])
        assert torch.allclose(alone[0], both[picture], atol=1e-4 * float(both.abs().max()))
    with pytest.raises(BlemishError, match="2 pictures at once"):
        edit(model, source, model.encode_prompt(TEXTS[:1]))


def test_a_method_unheard_of_is_refused(tiny_model):
    model = tiny_model("sd15")
    with pytest.raises(BlemishError, match="allowed are direct, null, negative-prompt"):
        prepare("magic", model, noise(model, 1), model.encode_prompt(TEXTS[:1]))
