"""CRG's equations against closed forms, brute force, scikit-image's components and diffusers' schedulers."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, RePaintScheduler
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage import measure
from torch import Tensor

from diffusion_refine.synthesis.crg.attention import (
    AttentionSettings,
    Focus,
    accumulated,
    attended,
    background_of,
    blurred,
    centred,
    connected,
    difference,
    labelled,
    middle,
    sharpened,
)
from diffusion_refine.synthesis.crg.guidance import Aim, GuidanceSettings, Judged, guided, lost, strayed
from diffusion_refine.synthesis.crg.schedule import Schedule

SETTINGS = AttentionSettings(reach=None)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def smooth(seed: int, count: int = 1, side: int = 32) -> Tensor:
    """Maps (count, 1, side, side) from 0 to 1 with blobs of several sizes."""
    random = np.random.default_rng(seed)
    maps = np.stack([gaussian_filter(random.normal(size=(side, side)), 1 + number % 3) for number in range(count)])
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    return torch.from_numpy((maps - low) / (high - low)).float()[:, None]


class TestAttention:
    def test_the_difference_is_the_channels_mean_from_0_to_1_of_each_picture(self) -> None:
        """C2."""
        good, defective = drawn(3, 3, 8, 8), drawn(3, 3, 8, 8, seed=1)
        found = difference(good, defective).numpy()
        for one, before, after in zip(found, good.numpy(), defective.numpy(), strict=True):
            plain = np.abs(before - after).mean(axis=0)
            np.testing.assert_allclose(one[0], (plain - plain.min()) / (plain.max() - plain.min()), atol=1e-5)

    @given(st.floats(0, 1), st.floats(0.05, 2))
    def test_the_sharpened_difference_is_a_logistic_curve(self, value: float, temperature: float) -> None:
        """C3: 1 / (1 + exp((.5 - d) / T))."""
        found = float(sharpened(torch.tensor(value, dtype=torch.float64), temperature))
        assert found == pytest.approx(1 / (1 + math.exp((0.5 - value) / temperature)), rel=1e-9)

    def test_the_centre_counts_double_and_a_corner_next_to_nothing_more(self) -> None:
        """C4, at the middle of an odd window and at its corner, where r is 1."""
        flat = torch.full((1, 1, 33, 33), 0.3)
        found = centred(flat, middle(1), 1.0, 0.15 * math.sqrt(2))[0, 0]
        assert float(found[16, 16]) == pytest.approx(0.6, rel=1e-6)
        assert float(found[0, 0]) == pytest.approx(0.3 * (1 + math.exp(-1 / (2 * 0.15**2))), rel=1e-6)
        radius = math.dist((4, 9), (16, 16)) / math.dist((0, 0), (16, 16))
        assert float(found[4, 9]) == pytest.approx(0.3 * (1 + math.exp(-(radius**2) / (2 * 0.15**2))), rel=1e-5)
        assert float(centred(flat + 0.4, middle(1), 1.0, 0.2)[0, 0, 16, 16]) == 1.0

    def test_a_box_moves_and_shapes_the_centre(self) -> None:
        focus = Focus(torch.tensor([[-0.5, 0.25]]), torch.tensor([[0.25, 0.5]]))
        found = centred(torch.full((1, 1, 33, 33), 0.3), focus, 1.0, focus.half / 2)[0, 0]
        row, column = divmod(int(found.argmax()), 33)
        assert (row, column) == (8, 20)  # of -1 to 1 in 33 pixels
        assert float(found[12, 20]) == pytest.approx(float(found[8, 28]), rel=1e-5)  # half sides of 4 and 8 pixels

    @pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0])
    def test_the_blur_is_scipys(self, sigma: float) -> None:
        """C5: 7 pixels wide at a deviation of 1."""
        values = smooth(3, 2)
        found = blurred(values, sigma)
        for one, before in zip(found, values, strict=True):
            theirs = gaussian_filter(before[0].numpy().astype(float), sigma, mode="mirror", radius=int(3 * sigma))
            np.testing.assert_allclose(one[0].numpy(), theirs if sigma else before[0].numpy(), atol=1e-5)

    @given(st.integers(0, 2**31), st.floats(0.2, 0.9))
    def test_components_are_those_of_scikit_image(self, seed: int, threshold: float) -> None:
        mask = smooth(seed, 3) > threshold
        found = labelled(mask)[:, 0].numpy()
        for ours, one in zip(found, mask[:, 0].numpy(), strict=True):
            theirs = measure.label(one, connectivity=2)
            assert np.array_equal(ours > 0, theirs > 0)
            pairs = set(zip(ours[one].tolist(), theirs[one].tolist(), strict=True))
            assert len(pairs) == len({pair[0] for pair in pairs}) == len({pair[1] for pair in pairs}) == theirs.max()

    def test_a_snake_through_all_of_a_window_is_one_component(self) -> None:
        mask = torch.zeros((1, 1, 15, 15), dtype=torch.bool)
        mask[..., ::2, :] = True
        for number, row in enumerate(range(1, 15, 2)):
            mask[0, 0, row, 14 if number % 2 == 0 else 0] = True
        assert len(labelled(mask).unique()) == 2

    @given(st.integers(0, 2**31))
    def test_what_is_kept_touches_the_centre_and_is_large_enough(self, seed: int) -> None:
        """C6 against scikit-image, component by component; it is never nothing."""
        attention = smooth(seed, 2)
        found = connected(attention, middle(2), SETTINGS)
        axis = np.linspace(-1, 1, 32)
        squares = axis[:, None] ** 2 + axis**2
        soft = np.exp(-squares / (2 * (0.2 * math.sqrt(2) / 2.5) ** 2))
        for ours, one in zip(found[:, 0].numpy(), attention[:, 0].numpy(), strict=True):
            threshold = float(np.clip(one[soft > 0.5].mean() * 0.6, 0.05, 0.8))
            parts = measure.label(one > threshold, connectivity=2)
            kept = [
                part.label
                for part in measure.regionprops(parts)
                if part.area >= 0.01 * one.size and ((parts == part.label) & (soft > 0.5)).any()
            ]
            wanted = np.where(np.isin(parts, kept), one, 0.0) if kept else one * soft
            np.testing.assert_allclose(ours, wanted, atol=1e-5)
            assert ours.any()

    def test_where_no_component_touches_the_centre_what_is_near_it_stays(self) -> None:
        attention = torch.full((1, 1, 32, 32), 0.02)
        attention[..., :6, :6] = 0.9
        found = connected(attention, middle(1), SETTINGS)[0, 0]
        assert float(found[16, 16]) == pytest.approx(0.02, rel=0.1)
        assert float(found[:6, :6].max()) < 1e-3

    def test_the_average_over_time_is_its_recursion(self) -> None:
        """C7; with momentum 0 it is the newest map, with 1 the first."""
        maps = [smooth(seed) for seed in range(4)]
        average: Tensor | None = None
        wanted = maps[0].double().numpy()
        for number, one in enumerate(maps):
            average = accumulated(average, one, 0.7)
            if number:
                wanted = 0.7 * wanted + 0.3 * one.double().numpy()
                wanted = (wanted - wanted.min()) / (wanted.max() - wanted.min())
            np.testing.assert_allclose(average.numpy(), wanted, atol=1e-5)
        torch.testing.assert_close(accumulated(maps[0], maps[1], 0.0), maps[1])
        torch.testing.assert_close(accumulated(maps[0], maps[1], 1.0), maps[0])
        assert SETTINGS.momentum_at(250, 250) == pytest.approx(0.9)
        assert SETTINGS.momentum_at(0, 250) == 0.5

    def test_pictures_of_a_batch_do_not_see_each_other(self) -> None:
        good, defective, before = drawn(3, 3, 32, 32), drawn(3, 3, 32, 32, seed=5), smooth(2, 3)
        focus = Focus(torch.tensor([[0.0, 0.0], [0.4, -0.2], [-0.6, 0.6]]), torch.full((3, 2), 0.3))
        settings = AttentionSettings()
        together = attended(good, defective, before, 0.6, focus, settings)
        for number in range(3):
            own = slice(number, number + 1)
            alone = Focus(focus.centre[own], focus.half[own])
            found = attended(good[own], defective[own], before[own], 0.6, alone, settings)
            torch.testing.assert_close(found, together[own])

    def test_no_attention_lies_beyond_the_reach_of_the_box(self) -> None:
        focus = Focus(torch.tensor([[0.5, -0.5]]), torch.tensor([[0.2, 0.1]]))
        found = attended(drawn(1, 3, 65, 65), drawn(1, 3, 65, 65, seed=2), None, 0.5, focus, AttentionSettings())
        rows, columns = np.nonzero(found[0, 0].numpy() > 0)
        row, column = -1 + rows / 32, -1 + columns / 32
        assert (abs(row - 0.5) <= 0.3 + 1e-6).all()
        assert (abs(column + 0.5) <= 0.15 + 1e-6).all()

    def test_the_background_is_where_attention_is_below_a_hundredth(self) -> None:
        """C8."""
        assert background_of(torch.tensor([0.0, 0.0099, 0.01, 1.0])).tolist() == [True, True, False, False]


def aim(side: int = 16, whole: int = 40) -> Aim:
    """Two pictures with windows, one at the border."""
    good, defective = drawn(2, 3, whole, whole, seed=3) * 2 - 1, drawn(2, 3, side, side, seed=4) * 2 - 1
    attention = smooth(6, 2, side)
    corners = torch.tensor([[5, 9], [whole - side, 0]])
    return Aim(good, defective, attention, background_of(attention), corners)


class TestGuidance:
    def test_the_loss_is_what_loops_over_pixels_find(self) -> None:
        """C9, with the published weights; the means are over windows of 64 and pictures of 256 pixels a side."""
        wanted, clean = aim(), drawn(2, 3, 40, 40, seed=8) * 2 - 1
        ours, theirs = (lost(clean, wanted, GuidanceSettings(means=means)) for means in (False, True))
        for number, (top, left) in enumerate(wanted.corners.tolist()):
            terms = np.zeros(3)
            for row in range(40):
                for column in range(40):
                    errors = clean[number, :, row, column] - wanted.good[number, :, row, column]
                    inside = top <= row < top + 16 and left <= column < left + 16
                    if not inside:
                        terms[2] += float(errors.square().sum())
                        continue
                    place = (number, slice(None), row - top, column - left)
                    defect = clean[number, :, row, column] - wanted.defective[place]
                    terms[0] += float(wanted.attention[place][0] * defect.square().sum())
                    terms[1] += float(wanted.background[place][0] * errors.square().sum())
            weights = np.array([1e5, 1e4, 5e4])
            assert float(ours[number]) == pytest.approx(
                weights @ (terms / (3 * np.array([64, 64, 256]) ** 2)), rel=1e-4
            )
            assert float(theirs[number]) == pytest.approx(
                weights @ (terms / (3 * np.array([16, 16, 40]) ** 2)), rel=1e-4
            )

    def test_nothing_is_lost_of_a_picture_that_is_as_asked(self) -> None:
        """Everything as it was, and the defect's model sees what lies there."""
        wanted = aim()
        same = Aim(wanted.good, wanted.windows(wanted.good), wanted.attention, wanted.background, wanted.corners)
        assert torch.equal(lost(wanted.good, same, GuidanceSettings()), torch.zeros(2))

    def test_what_is_outside_pulls_at_no_pixel_of_the_window(self) -> None:
        wanted = aim()
        clean = (drawn(2, 3, 40, 40, seed=9) * 2 - 1).requires_grad_()
        (slope,) = torch.autograd.grad(lost(clean, wanted, GuidanceSettings(defect=0, background=0)).sum(), clean)
        assert torch.count_nonzero(wanted.windows(slope)) == 0
        assert torch.count_nonzero(slope) > 0

    @pytest.mark.parametrize("rate", [1e-4, 1e-2, 1.0, 1e3])
    def test_the_loss_of_no_picture_rises_however_long_the_step(self, rate: float) -> None:
        """C11, of a model that is no straight line; the search is bounded."""
        wanted, start = aim(), drawn(2, 3, 40, 40, seed=10) * 2 - 1
        settings, asked = GuidanceSettings(steps=3, tries=6), 0

        def judge(point: Tensor) -> Judged:
            nonlocal asked
            asked += 1
            clean = torch.tanh(2 * point)
            return Judged(point, lost(clean, wanted, settings) + strayed(point, start, 1e-4), clean, clean)

        found = guided(start, judge, rate, settings)
        assert (found.loss <= lost(torch.tanh(2 * start), wanted, settings)).all()
        assert 4 <= asked <= 1 + 3 * 6
        torch.testing.assert_close(found.clean, torch.tanh(2 * found.point))

    def test_a_step_is_the_rate_times_the_slope(self) -> None:
        """Of a parabola, one step: x - r · 2 (x - a); and each picture has its own rate where one is too long."""
        target, start = torch.zeros((2, 1, 2, 2)), torch.ones((2, 1, 2, 2))
        steep = torch.tensor([1.0, 20.0]).reshape(2, 1, 1, 1)

        def judge(point: Tensor) -> Judged:
            return Judged(point, (steep * (point - target).square()).sum(dim=(1, 2, 3)), point, point)

        found = guided(start, judge, 0.1, GuidanceSettings(steps=1, shrink=0.5))
        assert torch.allclose(found.point[0], torch.tensor(0.8))
        assert torch.allclose(found.point[1], torch.tensor(1 - 0.05 * 40))  # as high as before, once halved

    def test_a_loss_that_is_no_number_moves_nothing(self) -> None:
        start = torch.ones((1, 1, 2, 2))

        def judge(point: Tensor) -> Judged:
            bad = torch.where(point < 1.0, torch.nan, point)
            return Judged(point, bad.square().sum(dim=(1, 2, 3)), point, point)

        assert torch.equal(guided(start, judge, 0.1, GuidanceSettings()).point, start)


class TestSchedule:
    @pytest.mark.parametrize(("steps", "jump", "samples"), [(50, 10, 3), (30, 10, 3), (40, 5, 2), (20, 4, 1)])
    def test_the_order_of_timesteps_is_repaints(self, steps: int, jump: int, samples: int) -> None:
        """C13 against diffusers' RePaintScheduler of as many steps as ours has below its start."""
        theirs = RePaintScheduler(num_train_timesteps=steps)
        theirs.set_timesteps(steps, jump_length=jump, jump_n_sample=samples)
        ours = Schedule(250, steps, jump, samples, to_the_end=False).timesteps
        assert list(ours) == theirs.timesteps.tolist()

    def test_the_published_schedule_visits_what_can_be_counted_by_hand(self) -> None:
        """30 steps; stretches of 10 from 0 and from 10 on, each gone through twice more."""
        schedule = Schedule(to_the_end=False)
        assert len(schedule.timesteps) == 30 + 4 * 20
        assert (schedule.turns, schedule.visits) == (4, 29 + 4 * 10 + 4)
        assert schedule.trained_at[0] == 0
        assert schedule.trained_at[-1] == 999

    @pytest.mark.parametrize("sigma", [0.0, 0.7])
    def test_a_step_is_that_of_diffusers(self, sigma: float) -> None:
        """C1 and C12."""
        schedule = Schedule(1000, 1000)
        theirs = DDIMScheduler(beta_start=1e-4, beta_end=0.02, clip_sample=True, set_alpha_to_one=True)
        theirs.set_timesteps(1000)
        noisy, epsilon, noise = (drawn(2, 3, 8, 8, seed=seed) * 3 - 1.5 for seed in range(3))
        for timestep in (900, 500, 30, 1):
            known = theirs.step(epsilon, timestep, noisy, eta=sigma, variance_noise=noise)
            clean = schedule.clean(noisy, epsilon, timestep)
            torch.testing.assert_close(clean, known.pred_original_sample)
            ours = schedule.previous(clean, epsilon, timestep, timestep - 1, noise, sigma)
            torch.testing.assert_close(ours, known.prev_sample, atol=2e-4, rtol=1e-4)

    def test_noise_added_step_by_step_has_the_variance_of_noise_added_at_once(self) -> None:
        schedule, one, nothing = Schedule(), torch.ones(1), torch.zeros(1)
        signal, noise = schedule.noisy(one, nothing, 4), float(schedule.noisy(nothing, one, 4)) ** 2
        for timestep in range(4, 20):
            added = float(schedule.noisier(nothing, one, timestep)) ** 2
            noise = (1 - added) * noise + added
            signal = schedule.noisier(signal, nothing, timestep)
        torch.testing.assert_close(signal, schedule.noisy(one, nothing, 20))
        assert noise == pytest.approx(float(schedule.noisy(nothing, one, 20)) ** 2, rel=1e-5)

    def test_rates_shrink_by_what_the_way_down_enlarges(self) -> None:
        """C11: the product of √(ᾱ_t / ᾱ_{t-1}) down to 0."""
        schedule = Schedule()
        product = math.prod(
            math.sqrt(schedule.alpha_bars[step] / schedule.alpha_bars[step - 1]) for step in range(1, 26)
        )
        assert schedule.smart_decay(25) == pytest.approx(product, rel=1e-9)
        assert schedule.smart_decay(0) == 1.0
