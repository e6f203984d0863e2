"""P2 to P8 against sums by hand, dense solves, finite differences and PyWavelets' own layout."""

import numpy as np
import pytest
import pywt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from diffusion_refine.synthesis.maphc2f.change import seamless_change
from diffusion_refine.synthesis.maphc2f.energy import energy, problem, residual
from diffusion_refine.synthesis.maphc2f.mechanisms import FIDELITY, TERMS, Mechanism
from diffusion_refine.synthesis.maphc2f.networks import BoundarySynergy, FineNetwork
from diffusion_refine.synthesis.maphc2f.options import Wavelet
from diffusion_refine.synthesis.maphc2f.solver import solve
from diffusion_refine.synthesis.maphc2f.stages import Staged, coarse, fine
from diffusion_refine.synthesis.maphc2f.training.losses import border_loss, coarse_loss
from diffusion_refine.synthesis.maphc2f.wavelets import (
    analysis,
    bands,
    changeable,
    dilated,
    magnitudes,
    reach,
    synthesis,
)
from diffusion_refine.synthesis.maphc2f.windows import Window, window_of

MASKS = arrays(bool, (7, 9), elements=st.booleans())
SIDES = ((0, 1), (1, 0), (0, -1), (-1, 0))


def fields(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float64))[None, None]


def energy_by_hand(u: np.ndarray, s: np.ndarray, m: np.ndarray, mechanism: Mechanism) -> float:
    """P2 cell by cell."""
    terms, total = TERMS[mechanism], 0.0
    for i, j in np.ndindex(u.shape):
        bend = 0.0
        for down, right in SIDES:
            k, n = i + down, j + right
            if 0 <= k < u.shape[0] and 0 <= n < u.shape[1]:
                bend += u[k, n] - u[i, j]
                total += 0.25 * terms.stiffness * (m[i, j] + m[k, n]) / 2 * (u[k, n] - u[i, j]) ** 2
        if u[i, j] < 0:
            well = u[i, j] ** 2 / 2
        elif u[i, j] > 1:
            well = -1 / 6 + (u[i, j] - 1) ** 2 / 2
        else:
            well = u[i, j] ** 3 / 3 - u[i, j] ** 2 / 2
        local = terms.bending / 2 * bend**2 + terms.spring / 2 * u[i, j] ** 2 + terms.growth * well
        total += m[i, j] * (local - terms.drive * s[i, j] * u[i, j]) + FIDELITY / 2 * (u[i, j] - s[i, j]) ** 2
    return total


@pytest.mark.parametrize("mechanism", Mechanism)
def test_energy_is_the_sum_over_cells_and_the_residual_its_slope(mechanism: Mechanism) -> None:
    random = np.random.default_rng(3)
    u, s = random.uniform(-0.4, 1.4, (6, 5)), random.uniform(0, 1, (6, 5))
    m = (random.uniform(size=(6, 5)) > 0.4).astype(float)
    asked = problem(fields(s), fields(m), [mechanism])
    assert float(energy(fields(u), asked)) == pytest.approx(energy_by_hand(u, s, m, mechanism), rel=1e-12)
    slope = residual(fields(u), asked)[0, 0].numpy()
    for i, j in np.ndindex(u.shape):
        step = np.zeros_like(u)
        step[i, j] = 1e-5
        rise = energy_by_hand(u + step, s, m, mechanism) - energy_by_hand(u - step, s, m, mechanism)
        assert slope[i, j] == pytest.approx(rise / 2e-5, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(mask=MASKS, mechanism=st.sampled_from(list(Mechanism)), share=st.floats(0, 1))
def test_energy_never_rises_and_ends_where_nothing_pulls(mask: np.ndarray, mechanism: Mechanism, share: float) -> None:
    soft = mask * share
    found = solve(soft, mask, mechanism)
    assert (np.diff(found.energies) <= 1e-9 * (1 + np.abs(found.energies[0]))).all()
    left = residual(fields(found.intensity), problem(fields(soft), fields(mask), [mechanism]))
    assert float(left.abs().max()) < 1e-4
    assert not found.intensity[~mask].any() or mask.any()


@pytest.mark.parametrize("mechanism", [Mechanism.crack, Mechanism.deformation])
def test_the_solver_finds_what_a_dense_system_has_for_an_answer(mechanism: Mechanism) -> None:
    random = np.random.default_rng(4)
    mask = random.uniform(size=(8, 7)) > 0.5
    asked = problem(fields(mask), fields(mask), [mechanism])
    unit = torch.eye(mask.size, dtype=torch.float64).reshape(mask.size, 1, 1, *mask.shape)
    constant = residual(torch.zeros_like(asked.soft), asked)
    columns = [(residual(each, asked) - constant).flatten() for each in unit]
    dense = np.linalg.solve(torch.stack(columns, dim=1).numpy(), -constant.flatten().numpy())
    found = solve(mask.astype(float), mask, mechanism).intensity
    np.testing.assert_allclose(found.ravel(), dense, atol=1e-6)


def test_a_corroded_disc_is_fuller_than_a_torn_one_and_both_fade_at_their_rims() -> None:
    rows, columns = np.ogrid[:24, :24]
    mask = (rows - 12) ** 2 + (columns - 12) ** 2 <= 36
    for mechanism in Mechanism:
        found = solve(mask.astype(float), mask, mechanism).intensity
        assert found[12, 12] == pytest.approx(1.0, abs=0.1)
        assert found[12, 6] < 0.95 * found[12, 12]
        assert abs(found[~mask]).max() < 0.35
        assert abs(found[0]).max() < 1e-3


def dense_poisson(appearance: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Δv = ∇·∇a in the mask, v = 0 outside; nothing flows over the picture's border."""
    cells = [tuple(cell) for cell in np.argwhere(mask)]
    system, given = np.zeros((len(cells), len(cells))), np.zeros(len(cells))
    for row, (i, j) in enumerate(cells):
        for down, right in SIDES:
            k, n = i + down, j + right
            if 0 <= k < mask.shape[0] and 0 <= n < mask.shape[1]:
                system[row, row] -= 1
                given[row] += appearance[k, n] - appearance[i, j]
                if mask[k, n]:
                    system[row, cells.index((k, n))] += 1
    found = np.zeros(mask.shape)
    found[mask] = np.linalg.solve(system, given)
    return found


@settings(max_examples=25, deadline=None)
@given(mask=MASKS.filter(lambda mask: mask.any() and not mask.all()), seed=st.integers(0, 99))
def test_the_change_is_that_of_a_dense_poisson_solve_and_nothing_round_the_mask(mask: np.ndarray, seed: int) -> None:
    appearance = np.random.default_rng(seed).normal(size=(*mask.shape, 3))
    found = seamless_change(appearance, mask)
    for channel in range(3):
        expected = dense_poisson(appearance[..., channel], mask)
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-9)
    assert not found[~mask].any()


def test_what_is_nothing_outside_stays_what_physics_made_it() -> None:
    mask = np.zeros((9, 9), bool)
    mask[3:6, 2:7] = True
    appearance = np.where(mask[..., None], np.random.default_rng(0).normal(size=(9, 9, 1)), 0.0)
    np.testing.assert_allclose(seamless_change(appearance, mask), appearance, atol=1e-12)


@pytest.mark.parametrize("wavelet", Wavelet)
def test_the_transform_is_pywavelets_and_its_inverse_its_transpose(wavelet: Wavelet) -> None:
    assert pywt.Wavelet(wavelet.value).dec_len == wavelet.overlap + 2
    pixels = torch.rand((2, 3, 16, 24), dtype=torch.float64, requires_grad=True)
    coefficients = analysis(pixels, wavelet)
    assert float((synthesis(coefficients, wavelet) - pixels).detach().abs().max()) < 1e-12
    _, coarser, finest = pywt.wavedec2(pixels.detach().numpy(), wavelet.value, "periodization", 2, axes=(-2, -1))
    for ours, theirs in zip(bands(coefficients.detach()), (*finest, *coarser), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-12)
    part = pixels.detach()[:1, :1, :8, :8].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda values: analysis(values, wavelet), part)
    assert torch.autograd.gradcheck(lambda values: synthesis(values, wavelet), part)


@settings(max_examples=30, deadline=None)
@given(
    wavelet=st.sampled_from(list(Wavelet)),
    place=st.tuples(st.integers(0, 15), st.integers(0, 19)),
    sides=st.tuples(st.integers(1, 6), st.integers(1, 6)),
)
def test_coefficients_that_may_change_touch_nothing_but_the_dilated_mask(
    wavelet: Wavelet, place: tuple[int, int], sides: tuple[int, int]
) -> None:
    mask = torch.zeros((1, 1, 64, 68), dtype=torch.bool)
    mask[..., 20 + place[0] : 20 + place[0] + sides[0], 20 + place[1] : 20 + place[1] + sides[1]] = True
    near = dilated(mask, reach(wavelet))
    changes = changeable(near, wavelet)
    noise = torch.randn(mask.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * changes
    pixels = synthesis(noise, wavelet)
    assert float(pixels[~near].abs().max()) < 1e-12
    if wavelet is Wavelet.haar:  # every pixel of the mask is seen by a coefficient of every band
        for number, band in enumerate(bands(changes)):
            seen = torch.nn.functional.interpolate(band.float(), scale_factor=2 ** (number // 3 + 1)) > 0
            assert bool(seen[mask].all())


@pytest.mark.parametrize("wavelet", Wavelet)
def test_without_a_network_the_bands_become_what_is_wanted(wavelet: Wavelet) -> None:
    random = np.random.default_rng(5)
    good = random.uniform(0.4, 0.6, (40, 48, 1))
    mask = np.zeros((40, 48), bool)
    mask[16:25, 18:30] = True
    appearance = np.where(mask[..., None], random.normal(-0.2, 0.05, good.shape), 0.0)
    made = coarse(good, appearance, mask, np.zeros_like(mask), Mechanism.corrosion, None)
    assert np.array_equal(made.pixels[~mask], good[~mask])
    assert made.record["energy"][1] <= made.record["energy"][0]
    wanted = np.array([0.12, 0.12, 0.12, 0.1, 0.1, 5.0])
    done = fine(good, made, wanted, wavelet, None)
    near = dilated(torch.from_numpy(mask)[None, None], reach(wavelet))
    assert np.array_equal(done.changed, near[0, 0].numpy())
    assert np.array_equal(done.pixels[~done.changed], good[~done.changed])
    after = magnitudes(
        analysis(torch.from_numpy(done.pixels).permute(2, 0, 1)[None], wavelet), changeable(near, wavelet)
    )[0].numpy()
    wanted *= good[near[0, 0].numpy()].mean()
    before = np.array(done.record["bands"]["before"])
    np.testing.assert_allclose(after, np.clip(wanted, before / 2, 2 * before), rtol=1e-3)
    assert (np.abs(after - wanted) < 1e-9).sum() >= 3
    assert done.record["gains"][5] == 2.0


def test_the_blocks_bands_are_told_of_each_other_and_nothing_else_changes() -> None:
    torch.manual_seed(0)
    block = BoundarySynergy(4)
    features = torch.randn(2, 4, 6, 6)
    inner, outer = torch.zeros(2, 1, 6, 6, dtype=torch.bool), torch.zeros(2, 1, 6, 6, dtype=torch.bool)
    inner[0, 0, 2, 2:4], outer[0, 0, 1, 1:5] = True, True
    found = block(features, inner, outer)
    assert torch.equal(found[1], features[1])
    elsewhere = ~(inner | outer).expand_as(features)
    assert torch.equal(found[elsewhere], features[elsewhere])
    mean = torch.stack([features[0, :, 1, column] for column in range(1, 5)]).mean(dim=0)
    told = torch.cat([features[0, :, 2, 3], mean])[None, :, None, None]
    expected = features[0, :, 2, 3] + block.inward(told)[0, :, 0, 0]
    torch.testing.assert_close(found[0, :, 2, 3], expected)


def test_the_fine_net_begins_with_gains_of_one_and_keeps_within_limits() -> None:
    torch.manual_seed(0)
    network = FineNetwork(8)
    picture, mask = torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[..., 6:9, 6:9] = True
    near = dilated(mask, 3)
    assert torch.equal(network(picture, picture, mask, near, torch.ones(1, 6)), torch.ones(1, 1, 16, 16))
    torch.nn.init.normal_(network.exits[0].weight, std=50.0)
    gains = network(picture, picture, mask, near, torch.ones(1, 6)).detach()
    assert float(gains.min()) >= 0.5 - 1e-6
    assert float(gains.max()) <= 2.0 + 1e-6
    assert torch.equal(gains[..., :4, :4], torch.ones(1, 1, 4, 4))  # the coarse coefficients


def test_the_border_loss_is_the_mean_over_pairs_across_the_border() -> None:
    random = np.random.default_rng(2)
    made, physical = random.uniform(size=(2, 5, 6))
    mask = random.uniform(size=(5, 6)) > 0.5
    jumps = []
    for (i, j), (down, right) in ((cell, side) for cell in np.ndindex(mask.shape) for side in SIDES[:2]):
        k, n = i + down, j + right
        if k < 5 and n < 6 and mask[i, j] != mask[k, n]:
            jumps.append(max(0.0, abs(made[i, j] - made[k, n]) - abs(physical[i, j] - physical[k, n])))
    found = border_loss(fields(made), fields(physical), torch.from_numpy(mask)[None, None])
    assert float(found) == pytest.approx(np.mean(jumps))


def test_the_coarse_loss_is_least_at_the_energys_minimum() -> None:
    rows, columns = np.ogrid[:16, :16]
    mask = (rows - 8) ** 2 + (columns - 7) ** 2 <= 20
    for mechanism in Mechanism:
        asked = problem(fields(mask), fields(mask), [mechanism])
        best = fields(solve(mask.astype(float), mask, mechanism).intensity)
        for other in (asked.soft, 0.5 * asked.soft, best + 0.1 * asked.soft):
            assert float(coarse_loss(best, asked)) < float(coarse_loss(other, asked))


def test_windows_go_on_mirrored_and_know_what_lies_inside() -> None:
    picture = np.arange(20).reshape(4, 5)
    window = Window(-2, 3, 4, 4)
    assert np.array_equal(window.cut(picture), np.pad(picture, 4, mode="symmetric")[2:6, 7:11])
    there, own = window.inside(picture.shape)
    assert np.array_equal(picture[there], window.cut(picture)[own])
    mask = np.zeros((30, 40), bool)
    mask[10:13, 20:31] = True
    found = window_of(mask, 5)
    assert (found.top, found.left, found.rows % 4, found.columns % 4) == (5, 15, 0, 0)
    assert found.rows >= 13
    assert found.columns >= 21


def test_a_stage_changes_nothing_where_physics_draws_nothing() -> None:
    good = np.random.default_rng(1).uniform(size=(16, 16, 3))
    mask = np.zeros((16, 16), bool)
    mask[6:9, 6:9] = True
    made = coarse(good, np.zeros_like(good), mask, np.zeros_like(mask), Mechanism.crack, None)
    assert isinstance(made, Staged)
    np.testing.assert_allclose(made.pixels, good, atol=1e-15)
