"""SARD's training: it learns, ends in the same bytes after any stop, and without its two parts is a plain GAN's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_refine.core.models import ModelError
from diffusion_refine.synthesis.sard.discriminator import DiscriminatorShape
from diffusion_refine.synthesis.sard.model import FILES, load_sard
from diffusion_refine.synthesis.sard.network import Conditions, NetworkShape
from diffusion_refine.synthesis.sard.pairs import LabelledPicture, draw_pairs
from diffusion_refine.synthesis.sard.readings import Background, Comparison
from diffusion_refine.synthesis.sard.sampling import sample
from diffusion_refine.synthesis.sard.training import SardSettings, SardTraining, falling_in_stretches, train_sard

TINY = SardSettings(
    steps=6,
    batch=2,
    pairs=8,
    every=2,
    penalty_every=3,
    warm_up=0.0,
    network=NetworkShape(size=16, channels=(8, 16), latent=4, mapping=8),
    discriminator=DiscriminatorShape(channels=(8, 8, 8), foreground=1, embedding=8),
)


class Stopped(Exception):
    """What an interruption is here."""


def spotted(count: int = 3, side: int = 40) -> list[LabelledPicture]:
    """Grey pictures with a dark square, or a bright bar, and the mask of it."""
    found = []
    for number in range(count):
        image = np.full((side, side, 3), 128, np.uint8)
        mask = np.zeros((side, side), bool)
        kind = ("bar", "spot")[number % 2]
        mask[(slice(18, 20), slice(4, 36)) if kind == "bar" else (slice(14, 22), slice(14, 22))] = True
        image[mask] = 230 if kind == "bar" else 20
        found.append(LabelledPicture(image, {kind: mask}, "ground"))
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_pairs_show_their_defect_and_follow_from_the_seed() -> None:
    first, again = (draw_pairs(spotted(), 12, 16, seed=3) for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.masks, again.masks)
    assert first.label_names == ("bar", "spot")
    for image, mask, label in zip(first.images, first.masks, first.labels, strict=True):
        assert mask.any()
        inside = image.float().mean(dim=0)[mask[0]].mean()
        assert (inside > 150) if first.label_names[int(label)] == "bar" else (inside < 110)


@pytest.mark.parametrize("warm_up", [0.0, 0.9])  # stopped while both learn, or the discriminator alone
def test_a_stopped_training_ends_in_the_same_bytes(tmp_path: Path, warm_up: float) -> None:
    settings = replace(TINY, warm_up=warm_up)
    assert settings.turns(4) == (True, not warm_up)
    train_sard(spotted(), tmp_path / "whole", settings, "cpu")

    def stop(what: str, done: int, total: int) -> None:
        if what == "training" and done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        train_sard(spotted(), tmp_path / "stopped", settings, "cpu", stop)
    train_sard(spotted(), tmp_path / "stopped", settings, "cpu")
    whole, stopped = contents(tmp_path / "whole"), contents(tmp_path / "stopped")
    assert whole.keys() == stopped.keys()
    assert all(whole[name] == stopped[name] for name in whole if not name.endswith(".pt"))


def test_the_networks_warm_up_one_after_the_other() -> None:
    """Of 20 steps, 12 for the generator, 4 for the discriminator, and the rest for both."""
    pairs = draw_pairs(spotted(), 4, 16, 0)
    images, conditions = pairs.images.float() / 127.5 - 1, Conditions(pairs.labels, pairs.surfaces)
    training = SardTraining(replace(TINY, steps=20, warm_up=0.8), 2, 1)
    networks = training.network, training.discriminator
    moved = []
    for number in range(20):
        before = [[value.detach().clone() for value in network.parameters()] for network in networks]
        measured = training.step(images, pairs.masks, conditions, torch.Generator().manual_seed(number))
        assert measured[4] > 0
        changed = [
            any(not torch.equal(one, other) for one, other in zip(old, network.parameters(), strict=True))
            for old, network in zip(before, networks, strict=True)
        ]
        moved.append((changed[0], changed[1], bool(measured[0] > 0), bool(measured[2] > 0)))
    assert moved[:12] == [(True, False, False, False)] * 12
    assert moved[12:16] == [(False, True, True, False)] * 4
    assert moved[16:] == [(True, True, True, True)] * 4


def test_rates_fall_along_cosines() -> None:
    """One stretch is torch's CosineAnnealingLR; the second begins where the first ends."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10, 0.1)
    for step in range(10):
        theirs = optimizer.param_groups[0]["lr"]
        assert falling_in_stretches(step, [(10, 1.0)], 0.1) == pytest.approx(theirs)
        assert falling_in_stretches(step, [(10, 1.0), (5, 0.1)], 0.01) == pytest.approx(theirs)
        optimizer.step()
        schedule.step()
    second = [falling_in_stretches(10 + step, [(10, 1.0), (5, 0.1)], 0.01) for step in range(6)]
    assert second[0] == pytest.approx(0.1)
    assert second[5] == pytest.approx(0.01)
    assert second == sorted(second, reverse=True)
    assert falling_in_stretches(0, [(0, 1.0), (5, 0.1)], 0.01) == pytest.approx(0.1)


def test_the_moving_average_is_the_recursion_of_its_weights(tmp_path: Path) -> None:
    """EMA: a ← k a + (1 - k) w; diffusers' k rises with the steps, (1 + n) / (10 + n), to what the settings say."""
    pairs = draw_pairs(spotted(), 4, 16, 0)
    training = SardTraining(TINY, 2, 1)
    average = [value.detach().clone() for value in training.network.parameters()]
    images = pairs.images.float() / 127.5 - 1
    conditions = Conditions(pairs.labels, pairs.surfaces)
    for number in range(4):
        training.step(images, pairs.masks, conditions, torch.Generator().manual_seed(number))
        keep = 0.0 if number == 0 else min(TINY.average, (1 + number) / (10 + number))
        weights = training.network.parameters()
        average = [keep * old + (1 - keep) * new.detach() for old, new in zip(average, weights, strict=True)]
    for ours, theirs in zip(average, training.generator_descent.average.shadow_params, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("comparison", Comparison)
def test_without_weight_the_masks_branch_changes_nothing(comparison: Comparison) -> None:
    """λ = 0 and λ_mask = 0 give the weights that training without mask guidance gives: a denoising diffusion GAN's."""
    pairs = draw_pairs(spotted(), 4, 16, 0)
    images, conditions = pairs.images.float() / 127.5 - 1, Conditions(pairs.labels, pairs.surfaces)
    ended = []
    for settings in (replace(TINY, foreground=0.0, mask_weight=0.0), replace(TINY, mask_guidance=False)):
        training = SardTraining(replace(settings, comparison=comparison), 2, 1)
        for number in range(3):
            training.step(images, pairs.masks, conditions, torch.Generator().manual_seed(number))
        shared = [value for name, value in training.discriminator.named_parameters() if "foreground" not in name]
        ended.append([*training.network.parameters(), *shared])
    assert all(torch.equal(one, other) for one, other in zip(*ended, strict=True))


@pytest.mark.parametrize("comparison", Comparison)
def test_what_a_pair_shares_has_no_say_where_pairs_are_compared(comparison: Comparison) -> None:
    """The bias of the verdict, which every picture gets alike, stays where it is; judged apart, it is learnt."""
    pairs = draw_pairs(spotted(), 4, 16, 0)
    images, conditions = pairs.images.float() / 127.5 - 1, Conditions(pairs.labels, pairs.surfaces)
    training = SardTraining(replace(TINY, comparison=comparison, penalty=0.0), 2, 1)
    training.step(images, pairs.masks, conditions, torch.Generator().manual_seed(0))
    bias, weight = training.discriminator.verdict.bias.grad, training.discriminator.verdict.weight.grad
    assert bias is not None
    assert weight is not None
    assert weight.abs().max() > 1e-4
    if comparison is Comparison.paired:
        assert bias.abs().max() < 1e-6
    else:
        assert bias.abs().max() > 1e-4


def test_half_precision_is_near_single_and_penalises_as_well() -> None:
    pairs = draw_pairs(spotted(), 4, 16, 0)
    images, conditions = pairs.images.float() / 127.5 - 1, Conditions(pairs.labels, pairs.surfaces)
    measured = []
    for half in (False, True):
        training = SardTraining(replace(TINY, half=half, penalty_every=1), 2, 1)
        measured.append(training.step(images, pairs.masks, conditions, torch.Generator().manual_seed(0)))
        assert all(value.dtype == torch.float32 for value in training.network.parameters())
    torch.testing.assert_close(*(torch.stack(values) for values in measured), rtol=0.02, atol=0.02)
    assert measured[1][-1] > 0


@pytest.mark.parametrize("background", [Background.forward, Background.literal, None])
def test_what_is_drawn_lies_in_the_mask_alone(tmp_path: Path, background: Background | None) -> None:
    settings = replace(TINY, regions=background is not None, background=background or Background.forward)
    model = load_sard(train_sard(spotted(), tmp_path, settings, "cpu"), "cpu")
    assert model.background == background
    pairs = draw_pairs(spotted(), 3, 16, 9)
    good = pairs.images.float() / 127.5 - 1
    conditions = Conditions(pairs.labels, pairs.surfaces)
    made = [
        sample(
            model.network,
            model.schedule,
            good,
            pairs.masks,
            conditions,
            torch.Generator().manual_seed(seed),
            background,
        )
        for seed in (1, 1, 2)
    ]
    outside = (~pairs.masks).expand_as(good)
    assert torch.equal(made[0][outside], good[outside])
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_a_damaged_model_is_refused_by_its_file(tmp_path: Path) -> None:
    train_sard(spotted(), tmp_path, TINY, "cpu")
    for path in (FILES.weights_in(tmp_path), FILES.record_in(tmp_path)):
        content = path.read_bytes()
        spoilt = bytearray(content)
        spoilt[len(spoilt) // 2] ^= 4
        path.write_bytes(bytes(spoilt))
        with pytest.raises(ModelError, match=path.name):
            load_sard(tmp_path)
        path.write_bytes(content)
    load_sard(tmp_path)
    with pytest.raises(ModelError, match="train-generator sard"):
        load_sard(tmp_path / "nowhere")


def test_a_small_one_learns_to_draw_what_it_is_asked_for(tmp_path: Path) -> None:
    """Dark where a spot is asked for and bright where a bar is, after some seconds of training."""
    settings = replace(TINY, steps=120, batch=8, pairs=64, every=120, generator_rate=2e-3, average=0.98)
    settings = replace(settings, network=replace(settings.network, mask_input=True))
    model = load_sard(train_sard(spotted(), tmp_path, settings, "cpu"), "cpu")
    good = torch.zeros((2, 3, 16, 16))
    mask = torch.zeros((2, 1, 16, 16), dtype=torch.bool)
    mask[:, :, 4:11, 4:11] = True
    conditions = Conditions(torch.tensor([0, 1]), torch.tensor([0, 0]))
    made = sample(model.network, model.schedule, good, mask, conditions, torch.Generator().manual_seed(0))
    bar, spot = (float(picture[mask[0].expand_as(picture)].mean()) for picture in made)
    assert bar > 0.2
    assert spot < -0.2
