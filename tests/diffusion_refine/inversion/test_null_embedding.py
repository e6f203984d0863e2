"""Null embedding optimisation against a plain one: one picture, the pipeline's own UNet, nothing kept or shared."""

import pytest
import torch

from diffusion_refine.core.models import CallCounter
from diffusion_refine.core.schedule import Schedule
from diffusion_refine.inversion.ddim import invert
from diffusion_refine.inversion.methods import ClassifierFree, InversionSettings, NullInversion, prepare
from diffusion_refine.inversion.null_embedding import NullSettings, optimise
from diffusion_refine.inversion.sampling import denoise, edit
from procgen.errors import BlemishError

TEXT = "photo of a crack defect"
STEPS, SCALE = 3, 5.0


def plain(pipeline, latents, text, steps, scale, updates, threshold, growth):
    """The published algorithm: embeddings, pooled embeddings and updates of every step, and the last latents."""
    unet, scheduler = pipeline.unet, pipeline.scheduler
    alphas = scheduler.alphas_cumprod.double()
    spacing = 1000 // steps
    timesteps = [1 + spacing * index for index in reversed(range(steps))]
    encoded = pipeline.encode_prompt(
        text, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True, negative_prompt=""
    )
    pooled = len(encoded) == 4
    side = latents.shape[-1] * pipeline.vae_scale_factor
    time_ids = torch.tensor([[side, side, 0, 0, side, side]], dtype=torch.float32)

    def predict(z, t, embedding, pool):
        added = {"text_embeds": pool, "time_ids": time_ids} if pooled else None
        found = unet(z, t, encoder_hidden_states=embedding, added_cond_kwargs=added).sample
        if scheduler.config.prediction_type == "v_prediction":
            found = float(alphas[t].sqrt()) * found + float((1 - alphas[t]).sqrt()) * z
        return found

    def move(z, epsilon, now, then):
        clean = (z - float((1 - now).sqrt()) * epsilon) / float(now.sqrt())
        return float(then.sqrt()) * clean + float((1 - then).sqrt()) * epsilon

    condition = (encoded[0], encoded[2] if pooled else None)
    null = [encoded[1], *([encoded[3]] if pooled else [])]
    states = [latents]
    with torch.no_grad():
        for t in reversed(timesteps):
            before = alphas[max(t - spacing, 0)]
            states.append(move(states[-1], predict(states[-1], t, *condition), before, alphas[t]))
    z, embeddings, pools, counts = states[-1], [], [], []
    for i, t in enumerate(timesteps):
        null = [part.detach().clone().requires_grad_() for part in null]
        adam = torch.optim.Adam(null, lr=1e-2 * (1 - i / 100))
        now, then = alphas[t], alphas[max(t - spacing, 0)]
        count = 0
        while True:
            empty = predict(z, t, null[0], null[1] if pooled else None)
            epsilon = empty + scale * (predict(z, t, *condition).detach() - empty)
            loss = torch.nn.functional.mse_loss(move(z, epsilon, now, then), states[steps - 1 - i])
            if loss.item() < threshold + growth * i or count == updates:
                break
            adam.zero_grad()
            loss.backward()
            adam.step()
            count += 1
        z = move(z, epsilon, now, then).detach()
        embeddings.append(null[0].detach())
        pools.append(null[1].detach() if pooled else None)
        counts.append(count)
    return embeddings, pools, counts, z


def clean_latents(model, count=1):
    side = model.size // model.factor
    return torch.randn(count, 4, side, side, generator=torch.Generator().manual_seed(3))


def optimised(model, latents, settings, texts=(TEXT,), steps=STEPS):
    schedule, prompt = Schedule(model, steps), model.encode_prompt(texts)
    trajectory = invert(model, latents, prompt, schedule)
    return trajectory, optimise(model, trajectory, prompt, schedule, SCALE, settings)


# Threshold and growth that lie between the distances of these models: steps of some updates, of all, and of none.
LIMITS = {"sd15": (1.3, 1.6), "sd21": (0.1, 0.1), "sdxl": (1.4, 1.0)}


@pytest.mark.parametrize("family", LIMITS)
def test_it_equals_the_plain_implementation(tiny_model, family):
    model, latents = tiny_model(family), clean_latents(tiny_model(family))
    embeddings, pools, counts, z = plain(model.pipeline, latents, TEXT, STEPS, SCALE, 3, *LIMITS[family])
    settings = NullSettings(updates=3, threshold=LIMITS[family][0], growth=LIMITS[family][1])
    found = optimised(model, latents, settings)[1]
    assert counts == [2, 3, 0]
    assert found.updates[:, 0].tolist() == counts
    # Adam divides by slopes that are nearly nothing: last digits, which processors differ in, become a tenth of a step.
    for step in range(STEPS):
        assert torch.allclose(found.prompts[step].embeddings, embeddings[step], atol=1e-3)
        if family == "sdxl":
            assert torch.allclose(found.prompts[step].pooled, pools[step], atol=1e-3)
    assert torch.allclose(found.latents, z, atol=1e-3)


def test_pictures_of_a_batch_are_optimised_as_if_alone(tiny_model):
    model, texts = tiny_model("sd15"), (TEXT, "photo of a good ground steel plate")
    latents = clean_latents(model, 2)
    begin = optimised(model, latents, NullSettings(updates=0), texts, steps=2)[1].distances[0]
    settings = NullSettings(updates=3, threshold=float(begin.mean()))  # which one of them is below already
    both = optimised(model, latents, settings, texts, steps=2)[1]
    assert both.updates[0, 0] != both.updates[0, 1]  # one stops earlier
    for picture in range(2):
        alone = optimised(model, latents[picture : picture + 1], settings, texts[picture : picture + 1], steps=2)[1]
        assert torch.equal(both.updates[:, picture], alone.updates[:, 0])
        assert torch.allclose(both.distances[:, picture], alone.distances[:, 0], rtol=1e-4)
        assert torch.allclose(both.latents[picture], alone.latents[0], atol=1e-3)
        for step in range(2):
            assert torch.allclose(both.prompts[step].embeddings[picture], alone.prompts[step].embeddings[0], atol=1e-4)


def test_sdxl_moves_the_pooled_embedding_and_never_the_time_ids(tiny_model):
    model = tiny_model("sdxl")
    empty, prompt = model.encode_prompt([""]), model.encode_prompt([TEXT])
    found = optimised(model, clean_latents(model), NullSettings(updates=1), steps=1)[1].prompts[0]
    assert (found.embeddings - empty.embeddings).abs().max() == pytest.approx(1e-2, rel=1e-2)  # Adam's first step
    assert (found.pooled - empty.pooled).abs().max() == pytest.approx(1e-2, rel=1e-2)
    assert torch.equal(found.time_ids, prompt.time_ids)


def test_it_costs_one_forward_a_step_beside_those_that_are_optimised_with(tiny_model):
    model = tiny_model("sd15")
    latents, prompt, schedule = clean_latents(model), model.encode_prompt([TEXT]), Schedule(model, 2)
    trajectory = invert(model, latents, prompt, schedule)
    model.calls = CallCounter()
    found = optimise(model, trajectory, prompt, schedule, SCALE, NullSettings(updates=2))
    assert found.updates.tolist() == [[2], [2]]
    assert model.calls == CallCounter(forwards=2 * (1 + 2 + 1), samples=8, backwards=4)
    model.calls = CallCounter()
    optimise(model, trajectory, prompt, schedule, SCALE, NullSettings(threshold=100))
    assert model.calls == CallCounter(forwards=2 * (1 + 1), samples=4, backwards=0)


def test_weights_stay_as_they_were(tiny_model):
    model = tiny_model("sd15")
    model.unet.conv_in.requires_grad_(False)
    before = {name: (weight.clone(), weight.requires_grad) for name, weight in model.unet.named_parameters()}
    with torch.no_grad():  # it needs gradients even where its caller does not
        assert int(optimised(model, clean_latents(model), NullSettings(updates=1), steps=1)[1].updates) == 1
    for name, weight in model.unet.named_parameters():
        assert torch.equal(weight, before[name][0])
        assert weight.requires_grad == before[name][1]
        assert weight.grad is None


def test_optimised_embeddings_bring_a_picture_nearer_than_the_empty_ones(tiny_model):
    model = tiny_model("sd15")
    prompt = model.encode_prompt([TEXT])
    trajectory, found = optimised(model, clean_latents(model), NullSettings(), steps=2)
    source = NullInversion(trajectory, prompt, Schedule(model, 2), SCALE, found)
    replayed = edit(model, source)
    assert torch.allclose(replayed, found.latents, atol=1e-3)  # what was kept is what denoising gives
    empty = ClassifierFree(model.encode_prompt([""]), SCALE)
    plainly = denoise(model, trajectory.noisiest, prompt, empty, source.schedule)
    assert (replayed - trajectory.clean).square().mean() < 0.8 * (plainly - trajectory.clean).square().mean()


def test_starting_from_the_prompt_begins_where_guidance_does_nothing(tiny_model):
    model, latents = tiny_model("sdxl"), clean_latents(tiny_model("sdxl"))
    prompt = model.encode_prompt([TEXT])
    settings = InversionSettings(steps=2, guidance_scale=SCALE, null=NullSettings(updates=0, start="prompt"))
    null = prepare("null", model, latents, prompt, settings)
    negative = prepare("negative-prompt", model, latents, prompt, settings)
    assert torch.allclose(edit(model, null), edit(model, negative), atol=1e-5)
    assert torch.equal(null.embeddings.prompts[1].embeddings, prompt.embeddings)


def test_half_precision_weights_optimise_single_precision_embeddings(tiny_model):
    model = tiny_model("sdxl")
    model.pipeline.to(torch.bfloat16)
    found = optimised(model, clean_latents(model), NullSettings(updates=1), steps=1)[1]
    assert {found.latents.dtype, found.prompts[0].embeddings.dtype, found.prompts[0].pooled.dtype} == {torch.float32}
    assert bool(found.latents.isfinite().all())
    assert int(found.updates) == 1


def test_settings_that_cannot_be_are_refused(tiny_model):
    with pytest.raises(BlemishError, match="allowed are empty and prompt"):
        NullSettings(start="noise")
    with pytest.raises(BlemishError, match="give 0 or more"):
        NullSettings(updates=-1)
    model = tiny_model("sd15")
    with pytest.raises(BlemishError, match="learning rate to nothing"):
        optimise(model, None, model.encode_prompt([TEXT]), Schedule(model, 101), SCALE)
