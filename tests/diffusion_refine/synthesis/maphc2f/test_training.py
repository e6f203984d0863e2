"""MaPhC2F's training: its coarse net comes near the solver, and any stop ends in the same bytes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffusion_refine.core.models import ModelError
from diffusion_refine.synthesis.maphc2f.energy import ORDER, problem
from diffusion_refine.synthesis.maphc2f.mechanisms import Mechanism
from diffusion_refine.synthesis.maphc2f.model import FILES, load_model
from diffusion_refine.synthesis.maphc2f.networks import CoarseNetwork, NetworkShape
from diffusion_refine.synthesis.maphc2f.options import Wavelet
from diffusion_refine.synthesis.maphc2f.physics import Physics
from diffusion_refine.synthesis.maphc2f.references import References, band_magnitudes
from diffusion_refine.synthesis.maphc2f.solver import solve
from diffusion_refine.synthesis.maphc2f.training.both import Ground, Pairs, Settings, Training, train_maphc2f
from diffusion_refine.synthesis.maphc2f.training.losses import coarse_loss
from procgen.errors import BlemishError
from scenes import load_recipe
from tests.diffusion_refine.synthesis.labelled_sets import surface
from tests.diffusion_refine.synthesis.maphc2f.test_method import flawed_plate

TINY = Settings(steps=6, batch=2, size=32, pairs=6, every=2, network=NetworkShape(coarse=4, fine=8))
REFERENCES = References({"crack": ((0.02, 0.02, 0.01, 0.03, 0.03, 0.01),), "dent": ((0.01,) * 6, (0.02,) * 6)})


class Stopped(Exception):
    """What an interruption is here."""


def pictures() -> list[np.ndarray]:
    return [np.rint(255 * surface(seed, (72, 96, 3))).astype(np.uint8) for seed in range(2)]


def blobs(count: int, side: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Discs and bars as masks (N, 1, side, side), and numbers of mechanisms (N,)."""
    random = np.random.default_rng(seed)
    rows, columns = np.ogrid[:side, :side]
    found = []
    for _ in range(count):
        (row, column), radius = random.uniform(5, side - 5, 2), random.uniform(1.5, 5)
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        bar = (np.abs(rows - row) <= random.integers(0, 2)) & (np.abs(columns - column) < 9)
        found.append(disc if random.integers(2) else bar)
    return torch.from_numpy(np.stack(found))[:, None].float(), torch.from_numpy(random.integers(0, 3, count))


def test_the_coarse_net_comes_near_the_solver_by_the_residual_alone() -> None:
    torch.manual_seed(0)
    network = CoarseNetwork(8)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    masks, mechanisms = blobs(12, 16, 99)
    solved = torch.stack(
        [
            torch.from_numpy(solve(mask[0].double().numpy(), mask[0].numpy() > 0, ORDER[number]).intensity).clamp(0, 1)
            for mask, number in zip(masks, mechanisms.tolist(), strict=True)
        ]
    )[:, None].float()

    def apart() -> float:
        with torch.no_grad():
            return float((network(masks, masks, mechanisms) - solved).abs()[masks > 0].mean())

    before = apart()
    assert before == pytest.approx(float((masks - solved).abs()[masks > 0].mean()))  # begun where the solver begins
    for step in range(180):
        shown, told = blobs(8, 16, step)
        loss = coarse_loss(network(shown, shown, told), problem(shown, shown, told))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert apart() < 0.5 * before


def test_a_stopped_training_ends_in_the_same_bytes_and_damage_is_named(tmp_path: Path) -> None:
    physics = Physics(load_recipe(str(flawed_plate(tmp_path / "flawed.yaml"))))
    grounds = [Ground(pictures(), physics), Ground(pictures()[:1], physics)]
    train_maphc2f(grounds, REFERENCES, tmp_path / "whole", TINY, "cpu")

    def stop(what: str, done: int, total: int) -> None:
        if what == "training" and done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        train_maphc2f(grounds, REFERENCES, tmp_path / "parts", TINY, "cpu", stop)
    train_maphc2f(grounds, REFERENCES, tmp_path / "parts", TINY, "cpu")
    for name in ("maphc2f.json", "maphc2f.safetensors", "training/maphc2f.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    model = load_model(tmp_path / "whole", "cpu")
    assert model.references == REFERENCES
    assert model.wavelet is Wavelet.haar
    path = FILES.weights_in(tmp_path / "whole")
    path.write_bytes(path.read_bytes()[:-3] + b"abc")
    with pytest.raises(ModelError, match=path.name):
        load_model(tmp_path / "whole")


def test_training_moves_the_bands_towards_the_references() -> None:
    """A change far too smooth, whose references are rough: after some steps the loss of the bands is smaller."""
    masks = torch.zeros(4, 1, 32, 32, dtype=torch.bool)
    masks[:, :, 10:20, 12:22] = True
    good = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 0.1 + 0.5
    change = -0.2 * masks.expand(-1, 3, -1, -1).float()
    mechanisms = torch.tensor([ORDER.index(Mechanism.corrosion)] * 4)
    pairs = Pairs(good, change, good + change, masks, mechanisms, ("crack",) * 4)
    settings = replace(TINY, steps=60, batch=4, rate=5e-3)
    training = Training(settings, pairs, References({"crack": ((0.05,) * 6,)}), "cpu")
    losses = [float(training.step(torch.Generator().manual_seed(step))[1]) for step in range(60)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_references_are_the_mean_coefficients_at_the_defect() -> None:
    picture = np.full((40, 40, 3), 0.5)
    mask = np.zeros((40, 40), bool)
    mask[16:24, 16:24] = True
    picture[13:27:2] = 0.7  # every other row of the dilated mask: (a − b)/2 of two rows, twice
    found = band_magnitudes(picture, mask, Wavelet.haar)
    np.testing.assert_allclose(found, [0.2 / 0.6, 0, 0, 0, 0, 0], atol=1e-12)
    assert band_magnitudes(np.full((40, 40, 3), 0.5), mask, Wavelet.haar).max() < 1e-12


def test_a_recipe_that_draws_nothing_is_refused() -> None:
    with pytest.raises(BlemishError, match="no defect"):
        Physics(load_recipe("plate").only())
