import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from scipy import ndimage
from torch.nn import functional

from anomaly.backbone.extractor import EMBEDDED_WEIGHTS, FeatureExtractor
from anomaly.backbone.patch_extractor import BackboneError
from anomaly.backbone.training import loop
from anomaly.backbone.training.episodes import FAMILIES, Episode, draw_episode
from anomaly.backbone.training.fields import STYLES, Source, spectral
from anomaly.backbone.training.loop import CURVE, rate_at
from anomaly.backbone.training.objective import Batch, collated, evaluate_batch, nearest
from anomaly.backbone.training.textures import draw_texture
from anomaly.backbone.training.train import WEIGHTS, BackboneSettings, Episodes, backbone_training
from scenes.jobs.checkpoints import CheckpointError

SMALL = BackboneSettings(steps=4, episodes=2, support=1, query=2, size=64, textures=0)


@pytest.fixture(scope="module")
def textures():
    return [draw_texture(0, index) for index in (1, 4)]


def test_shipped_weights_are_half_precision_safetensors_of_less_than_8_megabytes():
    assert EMBEDDED_WEIGHTS.stat().st_size < 8_000_000
    with safe_open(EMBEDDED_WEIGHTS, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    single = {name for name, tensor in tensors.items() if tensor.dtype != torch.float16}
    assert all("running" in name or "num_batches" in name for name in single)
    network = FeatureExtractor("embedded").network
    assert set(network.state_dict()) == set(tensors)
    for name, value in network.state_dict().items():
        assert torch.equal(value, tensors[name].to(value.dtype))


def test_embedded_features_depend_on_the_picture_alone():
    images = torch.randn(3, 3, 72, 56, generator=torch.Generator().manual_seed(1))
    first, second = FeatureExtractor("embedded", seed=1), FeatureExtractor("embedded", seed=2)
    assert torch.equal(first(images), second(images))
    np.testing.assert_allclose(first(images)[1:2].numpy(), first(images[1:2]).numpy(), rtol=1e-4, atol=1e-4)
    assert first.pretrained
    assert "procedural" in first.weights


def test_an_untrained_backbone_takes_no_weights():
    assert FeatureExtractor("untrained", seed=4).weights == "untrained, seed 4"
    with pytest.raises(BackboneError, match="leave out --backbone untrained"):
        FeatureExtractor("untrained", weights=EMBEDDED_WEIGHTS)


def test_same_seed_gives_the_same_bytes_in_one_go_or_resumed(tmp_path, textures, monkeypatch):
    monkeypatch.setattr(loop, "EVERY", 2)

    class Stopped(Exception):
        pass

    def stop(what, done, total):
        if done == 3:
            raise Stopped

    def trained(folder, *calls):
        folder.mkdir()
        for call in calls:
            training = backbone_training(SMALL, folder, textures)
            training.resume()
            with contextlib.suppress(Stopped):
                training.run(*call)
        return [(folder / name).read_bytes() for name in (WEIGHTS, CURVE)]

    whole = trained(tmp_path / "whole", [])
    assert [line.split(b",")[0] for line in whole[1].splitlines()] == [b"step", b"2", b"4"]
    assert trained(tmp_path / "resumed", [stop], []) == whole
    with pytest.raises(CheckpointError, match="seed was 0 and is 3"):
        backbone_training(replace(SMALL, seed=3), tmp_path / "whole", textures).resume()


def test_a_step_changes_the_averaged_weights(tmp_path, textures):
    training = backbone_training(SMALL, tmp_path, textures)
    before = {name: value.clone() for name, value in training.average.state_dict().items()}
    training.advance(Episodes(SMALL, 8, textures)[0])
    changed = training.average.state_dict()
    assert not torch.equal(changed["blocks.4.1.conv_pwl.weight"], before["blocks.4.1.conv_pwl.weight"])


def test_workers_draw_what_the_training_itself_draws(tmp_path, textures):
    settings = BackboneSettings(steps=2, episodes=1, support=1, query=1, size=64, textures=0)
    alone, helped = (backbone_training(settings, tmp_path, textures, workers=workers) for workers in (0, 1))
    for ours, theirs in zip(alone.batches(0), helped.batches(0), strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)


def test_learning_rate_rises_stays_and_falls_to_nothing():
    settings = BackboneSettings(steps=1000, rate=1.0)
    assert rate_at(settings, 0) == pytest.approx(1 / 50)
    assert rate_at(settings, 400) == 1.0
    assert rate_at(settings, 875) == pytest.approx(0.5)
    assert rate_at(settings, 999) == pytest.approx(1 / 250)


def test_good_patches_show_nothing_of_a_defect(textures):
    """Cells labelled good must be those in which the albedo did not change: nothing is taught wrongly."""
    families = set()
    for step in range(30):
        episode = draw_episode(Source.seeded(5, step, 96, textures), 1, 2)
        labels = collated([episode], 8).labels[0].numpy()
        change = episode.change.numpy().reshape(2, 12, 8, 12, 8).max(axis=(2, 4))
        assert change[labels == 0].max(initial=0.0) < 0.02, FAMILIES[int(episode.family[0])]
        cover = episode.masks.numpy().reshape(2, 12, 8, 12, 8).mean(axis=(2, 4))
        assert (cover[labels > 0] > 0.08).all()
        assert {int(k) for k in np.unique(labels[labels > 0]) - 1} <= {int(k) for k in episode.family}
        families |= set(np.unique(labels[labels > 0]) - 1)
        assert all(bool(torch.isfinite(part).all()) for part in (episode.support, episode.query, episode.masks))
        assert 0 <= float(episode.query.min()) <= float(episode.query.max()) <= 1
    assert len(families) >= 7


def test_labels_leave_out_what_is_near_a_defect_or_too_faint():
    masks, change = torch.zeros(3, 64, 64), torch.zeros(3, 64, 64)
    masks[0, 24:32, 32:40], change[0, 24:32, 32:40] = 1.0, 0.2
    masks[1, 24:32, 32:40], change[1, 24:32, 32:40] = 1.0, 0.01
    pictures = torch.zeros(3, 3, 64, 64)
    episode = Episode(pictures[:1], pictures, masks, change, torch.tensor([4, 4, -1]))
    labels = collated([episode], 8).labels[0]
    near = np.zeros((8, 8), bool)
    near[3, 4] = True
    near = ndimage.binary_dilation(near, np.ones((5, 5)))
    expected = np.where(near, -1, 0)
    np.testing.assert_array_equal(labels[1], expected)
    expected[3, 4] = 5
    np.testing.assert_array_equal(labels[0], expected)
    assert not labels[2].any()


def test_loss_is_that_of_distances_measured_one_by_one():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(4, 5, 3, 3, generator=generator)  # two episodes of a good and a query picture
    labels = torch.zeros(2, 1, 3, 3, dtype=torch.long)
    labels[0, 0, 1, 1], labels[0, 0, 1, 2], labels[0, 0, 0, 0], labels[1, 0, 2, 2] = 3, 3, -1, 1
    batch = Batch(torch.zeros(2, 2, 3, 24, 24), labels, 1)
    classifier = torch.nn.Conv2d(5, 1 + len(FAMILIES), 1)
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.bias.zero_()
    outcome = evaluate_batch(features, batch, torch.tensor(2.0), classifier)

    rows = features.double().permute(0, 2, 3, 1).reshape(4, 9, 5).numpy()
    flat = labels.reshape(2, 9).numpy()
    defects, foreign, separations = [], [], []
    for e in range(2):
        support, query = rows[2 * e], rows[2 * e + 1]
        score = [2 * min(np.linalg.norm(patch - s) for s in support) for patch in query]
        good = [s for s, k in zip(score, flat[e], strict=True) if k == 0]
        bad = [s for s, k in zip(score, flat[e], strict=True) if k > 0]
        log_sum = np.log(np.sum(np.exp(good)))
        strangers = [2 * min(np.linalg.norm(p - s) for s in support) for p in rows[3 - 2 * e][flat[1 - e] == 0]]
        foreign.append(np.mean([np.log1p(np.exp(log_sum - s)) for s in strangers]))
        each = [np.log1p(np.exp(log_sum - s)) for s in bad]
        defects.append((np.mean(each) + min(each)) / 2)
        separations.append(np.mean([b > g for b in bad for g in good]))
    expected = np.mean(defects) + 0.3 * np.mean(foreign) + 0.5 * np.log(1 + len(FAMILIES))
    assert float(outcome.loss.detach()) == pytest.approx(expected, rel=1e-4)
    assert outcome.separation == pytest.approx(np.mean(separations))


def test_nearest_is_the_smallest_of_all_distances():
    generator = torch.Generator().manual_seed(2)
    queries, bank = torch.randn(2, 30, 6, generator=generator), torch.randn(2, 20, 6, generator=generator)
    torch.testing.assert_close(nearest(queries, bank), torch.cdist(queries, bank).amin(dim=2), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("style", [style for style, _ in STYLES], ids=lambda style: style.__name__)
def test_styles_give_different_pictures_of_unit_deviation(style):
    for seed in range(6):
        draw = style(Source.seeded(seed, 0, 96))
        field = draw(6)
        assert field.shape == (6, 96, 96)
        assert bool(torch.isfinite(field).all())
        assert float(field.mean().abs()) < 0.35
        assert 0.5 < float(field.std()) < 1.6
        assert not torch.equal(field[0], field[1])
        again = style(Source.seeded(seed, 0, 96))(6)
        assert torch.equal(field, again)


def test_noise_correlates_as_far_along_its_lay_as_its_stretch_says():
    field = spectral(Source.seeded(3, 0, 256), 24, 2.0, 2.0, stretch=6.0, angle=0.0)
    spectrum = torch.fft.fft2(field).abs().square().mean(dim=0)
    correlation = torch.fft.ifft2(spectrum).real / torch.fft.ifft2(spectrum).real[0, 0]
    # Stretching by 6 along x makes lag 6k along x what lag k is across.
    for lag in (1, 2, 4):
        assert float(correlation[0, 6 * lag]) == pytest.approx(float(correlation[lag, 0]), abs=0.05)
    assert float(field.std()) == pytest.approx(1.0, abs=0.1)


def test_textures_are_damaged_where_their_mask_says_and_nowhere_else(textures):
    for texture in textures:
        changed = (texture.bare != texture.damaged).any(dim=0)
        assert bool(texture.mask.any())
        near = functional.max_pool2d(texture.mask[None, None].float(), 31, 1, 15)[0, 0] > 0
        assert float((changed & ~near).float().mean()) < 0.01
        assert float(changed[texture.mask].float().mean()) > 0.5
