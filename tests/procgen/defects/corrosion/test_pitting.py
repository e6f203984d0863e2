"""Pitting: the statistics of nucleation and of the deepest pits, growth without healing, pits against brute force."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats

from procgen.defects.corrosion.pitting import DAY, PitPopulation, Pitting, PittingParameters, simulate_pitting
from procgen.errors import BlemishError
from procgen.surface.layer import LayerSample

PARAMETERS = PittingParameters(density=2e6, depth=60e-6)
SIZE = (0.02, 0.02)


def flat(chart):
    return np.column_stack([chart, np.zeros(len(chart))])


def bent(chart, radius=0.03):
    angle = chart[:, 0] / radius
    return np.column_stack([radius * np.sin(angle), chart[:, 1], radius * np.cos(angle) - radius])


def simulated(seed, time=DAY, **changes):
    return simulate_pitting(replace(PARAMETERS, **changes), SIZE, time, np.random.default_rng(seed))


def grid(side, size=SIZE):
    u, v = ((np.arange(side) + 0.5) / side * extent for extent in size)
    return flat(np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2))


def single(**changes):
    pits = PitPopulation(
        centres=np.zeros((1, 3)),
        axes=np.array([[[1.0, 0, 0], [0, 1.0, 0]]]),
        radii=np.array([[2e-3, 1e-3]]),
        depths=np.array([5e-4]),
        births=np.zeros(1),
        clusters=np.array([1]),
    )
    return Pitting(replace(pits, **changes), ragged=0.0, lip=0.0)


def test_births_are_a_poisson_process_whose_rate_decays():
    counts = [[len(simulated(seed, time, decay=0.5 * DAY)) for time in (0.25 * DAY, DAY)] for seed in range(150)]
    expected = 2e6 * SIZE[0] * SIZE[1] * (1 - np.exp([-0.5, -2.0]))
    mean, variance = np.mean(counts, axis=0), np.var(counts, axis=0, ddof=1)
    assert mean == pytest.approx(expected, rel=0.01)
    assert variance == pytest.approx(mean, rel=0.3)  # of 150 draws: four standard errors


@pytest.mark.parametrize("seed", range(3))
def test_deepest_pits_of_equal_areas_follow_gumbel(seed):
    pits = simulate_pitting(replace(PARAMETERS, density=4e6), (0.06, 0.06), 3 * DAY, np.random.default_rng(seed))
    block = np.floor(pits.centres / 0.006).astype(int) @ [10, 1]  # 100 of them, with some 140 pits each
    maxima = np.array([pits.depths[block == number].max() for number in range(100)])
    assert stats.kstest(maxima, "gumbel_r", stats.gumbel_r.fit(maxima)).pvalue > 0.05
    assert (
        stats.kstest(maxima, "norm", stats.norm.fit(maxima)).pvalue
        < stats.kstest(maxima, "gumbel_r", stats.gumbel_r.fit(maxima)).pvalue
    )


def test_depth_is_a_power_of_age():
    early, late = (simulated(1, time, growth_exponent=0.4) for time in (DAY, 3 * DAY))
    age = (3 * DAY - early.births) / (DAY - early.births)
    np.testing.assert_allclose(late.depths[: len(early)] / early.depths, age**0.4)
    np.testing.assert_array_equal(late.centres[: len(early)], early.centres)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**31), clustering=st.sampled_from([0.0, 0.7]), ragged=st.floats(0, 0.4))
def test_pits_only_ever_grow(seed, clustering, ragged):
    points = grid(150)
    before = None
    for time in (0.0, 0.5 * DAY, DAY, 3 * DAY):
        pits = simulated(seed, time, clustering=clustering, spread=3e-4).embedded(flat)
        now = Pitting(pits, ragged=ragged, lip=0.1, seed=seed % 100).evaluate(points)
        assert now.inside.any() == (time > 0)
        if before is not None:
            assert now.inside[before.inside].all()
            assert (np.minimum(now.height, 0) <= np.minimum(before.height, 0)).all()
        before = now


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), embed=st.sampled_from([flat, bent]), elongation=st.floats(1, 4))
def test_cavities_are_those_of_brute_force(seed, embed, elongation):
    pits = simulated(seed, density=3e5, elongation=elongation).embedded(embed)
    points = embed(np.random.default_rng(seed).uniform(0, SIZE, (2000, 2)))
    depth, inside = np.zeros(len(points)), np.zeros(len(points), dtype=bool)
    for centre, axes, radii, deepest in zip(pits.centres, pits.axes, pits.radii, pits.depths, strict=True):
        frame = np.stack([*axes, np.cross(*axes)])
        square = (((points - centre) @ frame.T / [radii[0], radii[1], radii[1]]) ** 2).sum(axis=1)
        inside |= square <= 1
        depth = np.maximum(depth, deepest * np.sqrt(np.maximum(1 - square, 0)))
    sample = Pitting(pits, ragged=0.0, lip=0.0).evaluate(points)
    np.testing.assert_array_equal(sample.inside, inside)
    assert inside.any()
    ratio = -sample.height[inside] / np.maximum(depth[inside], 1e-12)  # the floor is uneven
    assert np.median(ratio) == pytest.approx(1, abs=0.25)
    assert ratio.min() >= 0
    assert ratio.max() <= 2 + 1e-6


def test_a_pit_is_an_ellipsoid_with_its_axes_where_they_were_put():
    points = np.array([[0, 0, 0], [1.99e-3, 0, 0], [2.01e-3, 0, 0], [0, 0.99e-3, 0], [0, 1.01e-3, 0]])
    assert single().evaluate(points).inside.tolist() == [True, True, False, True, False]


def test_a_lip_rises_inside_the_mask_and_the_cavity_is_dark():
    along = np.linspace(0, 2.5e-3, 200)
    points = flat(np.stack([along, 0 * along], axis=1))
    sample = replace(single(), lip=0.1).evaluate(points)
    assert 0 < sample.height.max() <= 0.1 * 5e-4 * 1.0001
    assert along[sample.height.argmax()] == pytest.approx(2e-3 * 0.925, abs=3e-5)
    assert not sample.height[~sample.inside].any()
    assert sample.reflectance[0] < -0.3
    assert not sample.reflectance[~sample.inside].any()


def test_an_instance_is_a_patch_of_merged_pits():
    """With smooth outlines, ids part the mask as connected components do, but for pits that touch at a corner."""
    pits = simulated(5, 3 * DAY, density=1.2e6, clustering=0.5, spread=4e-4).embedded(flat)
    sample = Pitting(pits, ragged=0.0).evaluate(grid(1000))
    components, count = ndimage.label(sample.inside.reshape(1000, 1000), np.ones((3, 3)))
    ids = sample.instance.reshape(1000, 1000)
    of_one = [
        len(np.unique(ids[window][components[window] == number + 1])) == 1
        for number, window in enumerate(ndimage.find_objects(components))
    ]
    assert np.mean(of_one) > 0.9
    assert len(np.unique(sample.instance[sample.inside])) == pytest.approx(count, rel=0.1)
    assert len(np.unique(pits.clusters)) < 0.8 * len(pits)


def test_a_patch_keeps_the_id_of_its_oldest_pit():
    early, late = (simulated(2, time, clustering=0.5, spread=3e-4) for time in (DAY, 3 * DAY))
    assert (late.clusters[: len(early)] <= early.clusters).all()
    for population in (early, late):
        assert (population.clusters[population.clusters - 1] == population.clusters).all()


def test_a_pit_does_not_reach_through_to_the_other_side():
    pits = single()
    points = np.array([[0.0, 0, 0], [0, 0, -1.5e-3], [0.3e-3, 0, -0.002]])
    assert pits.evaluate(points).inside.tolist() == [True, False, False]


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), keep=st.integers(1, 400))
def test_a_point_is_told_the_same_whoever_else_is_asked(seed, keep):
    layer = Pitting(simulated(seed, elongation=2.0).embedded(bent), seed=seed)
    rng = np.random.default_rng(seed)
    points = bent(rng.uniform(0, SIZE, (400, 2)))
    chosen = rng.permutation(400)[:keep]
    whole, part = layer.evaluate(points), layer.evaluate(points[chosen])
    for field in fields(LayerSample):
        np.testing.assert_array_equal(getattr(whole, field.name)[chosen], getattr(part, field.name))


def test_nothing_and_nobody():
    nothing = Pitting(simulated(0, 0.0).embedded(flat))
    assert not nothing.evaluate(grid(20)).inside.any()
    assert len(Pitting(simulated(0).embedded(flat)).evaluate(np.empty((0, 3))).inside) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 0.0}, "depth = 0; expected a finite number, positive"),
        ({"density": float("nan")}, "density = nan"),
        ({"elongation": 0.5}, "elongation = 0.5; expected 1 or more"),
        ({"clustering": 1.5}, "clustering = 1.5"),
        ({"density": 1e10}, "expected at most 200000: lower the density"),
        ({"depth": 0.05, "density": 1e8}, "lie on one another"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message):
    with pytest.raises(BlemishError, match=message):
        simulated(0, **changes)


def test_pits_that_are_not_on_a_part_are_refused():
    with pytest.raises(BlemishError, match="embed them in a part"):
        Pitting(simulated(0))
