import contextlib

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from anomaly.backbone.distilled import CHANNELS, DISTILLED_WEIGHTS, DistilledExtractor, DistilledNetwork
from anomaly.backbone.extractor import seeded
from anomaly.backbone.normalisation import patches, standardised
from anomaly.backbone.packaged_weights import DINOV2_SMALL, EFFICIENTNET_LITE0
from anomaly.backbone.patch_extractor import BackboneError, patch_extractor, same_weights
from anomaly.backbone.training import loop
from anomaly.backbone.training.distil import HEAD, TEACHER, DistillationSettings, batches_of, distillation
from anomaly.backbone.training.episodes import draw_episode
from anomaly.backbone.training.fields import Source
from anomaly.backbone.training.teacher import Principal, Seen
from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.maintenance import melded
from anomaly.inspection.train import train_inspector
from scenes.formats.registry import read_samples
from tests.anomaly.conftest import folder_of_good

SMALL = DistillationSettings(steps=4, episodes=3, shards=1, size=48, textures=0)


def test_shipped_weights_are_half_precision_safetensors_of_less_than_4_megabytes():
    assert DISTILLED_WEIGHTS.stat().st_size < 4_000_000
    tensors = load_file(DISTILLED_WEIGHTS)
    single = {name for name, tensor in tensors.items() if tensor.dtype != torch.float16}
    assert all("running" in name or "num_batches" in name for name in single)


def test_its_trunk_is_the_imagenet_network_of_the_package():
    if not EFFICIENTNET_LITE0.at_hand():
        pytest.skip(EFFICIENTNET_LITE0.install)
    theirs = load_file(EFFICIENTNET_LITE0.file_of_weights())
    ours = {name: value for name, value in load_file(DISTILLED_WEIGHTS).items() if name.startswith("trunk.")}
    assert len(ours) > 100
    for name, value in ours.items():
        assert torch.equal(value, theirs[name.removeprefix("trunk.")].to(value.dtype))


def test_patches_lie_as_far_from_each_other_as_the_teacher_sees_them():
    if not DINOV2_SMALL.at_hand():
        pytest.skip(DINOV2_SMALL.install)
    teacher, student, other = patch_extractor(TEACHER), DistilledExtractor(), patch_extractor("embedded")
    sources = [Source.seeded(77, step, 96) for step in range(6)]  # surfaces that no training drew
    images = standardised(torch.cat([draw_episode(source, 1, 1).query for source in sources]))
    far = [torch.pdist(patches(extractor(images))[::5]).numpy() for extractor in (teacher, student, other)]
    assert np.corrcoef(far[0], far[1])[0, 1] > 0.7
    assert np.corrcoef(far[0], far[1])[0, 1] > np.corrcoef(far[0], far[2])[0, 1] + 0.1


def test_images_of_any_size_give_one_patch_for_every_8_pixels_begun():
    extractor = DistilledExtractor()
    images = torch.rand(2, 3, 33, 47, generator=torch.Generator().manual_seed(1))
    found = extractor(images)
    assert found.shape == (2, CHANNELS, 5, 6)
    whole = np.pad(images.numpy(), ((0, 0), (0, 0), (0, 15), (0, 1)), mode="edge")
    torch.testing.assert_close(found, extractor(torch.from_numpy(whole))[..., :5, :6], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[1:], extractor(images[1:]), rtol=1e-4, atol=1e-4)


def test_an_inspector_keeps_its_weights_and_one_of_the_first_edition_is_still_read(tmp_path):
    samples = read_samples(folder_of_good(tmp_path / "pictures", (110, 130), 3))
    first = train_inspector(samples, tmp_path / "a", backbone="embedded", size=30)
    second = train_inspector(samples, tmp_path / "b", backbone="distilled", size=30)
    image = np.full((40, 50, 3), 90, np.uint8)
    for trained, name in ((first, "a"), (second, "b")):
        np.testing.assert_array_equal(Inspector.load(tmp_path / name).predict(image)[0], trained.predict(image)[0])
    assert same_weights(Inspector.load(tmp_path / "b").model.extractor, DistilledExtractor())
    assert "DINOv2" in second.training.weights
    with pytest.raises(InspectorError, match="inspector 2 has another backbone"):
        melded([first, second])


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(BackboneError, match="has weights of its own; leave out --pretrained"):
        patch_extractor("distilled", pretrained=True)
    state = dict(DistilledExtractor().weight_tensors())
    save_file({**state, "head.answer.bias": torch.full((CHANNELS,), torch.nan)}, tmp_path / "nan.safetensors")
    with pytest.raises(BackboneError, match=r"head.answer.bias holds NaN"):
        patch_extractor("distilled", weights=tmp_path / "nan.safetensors")
    state.pop("head.answer.bias")
    save_file(state, tmp_path / "lacking.safetensors")
    with pytest.raises(BackboneError, match="holds other tensors"):
        patch_extractor("distilled", weights=tmp_path / "lacking.safetensors")
    (tmp_path / "noise.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(BackboneError, match="no safetensors file"):
        patch_extractor("distilled", weights=tmp_path / "noise.safetensors")


def test_principal_components_are_those_of_a_singular_value_decomposition():
    rows = torch.randn(200, 6, generator=torch.Generator().manual_seed(2)) * torch.tensor([5.0, 3, 2, 1, 0.5, 0.2])
    principal = Principal.of(rows, 3)
    _, values, directions = np.linalg.svd(rows.numpy() - rows.numpy().mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(principal.deviations.numpy(), values[:3] / np.sqrt(199), rtol=1e-4)
    np.testing.assert_allclose(np.abs(principal.directions.T.numpy()), np.abs(directions[:3]), atol=1e-3)
    grid = rows[:8].reshape(2, 2, 2, 6).permute(0, 3, 1, 2)
    expected = (rows[:8] - rows.mean(dim=0)) @ principal.directions
    torch.testing.assert_close(patches(principal.of_grid(grid)), expected, rtol=1e-4, atol=1e-4)


def test_every_pass_shows_every_episode_once():
    values = torch.arange(7)
    settings = DistillationSettings(steps=4, episodes=3)
    shown = [batch.labels.tolist() for batch in batches_of(Seen(values, values, values), settings, 0)]
    assert [len(labels) for labels in shown] == [3, 3, 3, 3]
    assert len({*shown[0], *shown[1]}) == len({*shown[2], *shown[3]}) == 6
    assert [batch.labels.tolist() for batch in batches_of(Seen(values, values, values), settings, 3)] == shown[3:]


def test_same_seed_gives_the_same_bytes_in_one_go_or_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "EVERY", 2)

    class Stopped(Exception):
        pass

    def stop(what, done, total):
        if done == 3:
            raise Stopped

    def trained(folder, *calls):
        for call in calls:
            with seeded(1):
                network = DistilledNetwork().requires_grad_(False).eval()
            training = distillation(SMALL, patch_extractor("embedded"), network, (), folder)
            training.resume()
            with contextlib.suppress(Stopped):
                training.run(*call)
        return (folder / HEAD).read_bytes()

    whole = trained(tmp_path / "whole", [])
    assert trained(tmp_path / "resumed", [stop], []) == whole
    with seeded(1):
        untaught = DistilledNetwork().head.state_dict()
    assert not torch.equal(load_file(tmp_path / "whole" / HEAD)["answer.weight"].float(), untaught["answer.weight"])
