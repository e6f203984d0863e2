"""Frames that show nearly the same, among those that do not."""

import numpy as np
from scipy.ndimage import gaussian_filter

from scenes.gallery.near_duplicates import fine_structure, near_duplicates, read, written


def texture(seed):
    return 0.5 + 0.05 * gaussian_filter(np.random.default_rng(seed).standard_normal((240, 300)), 2).astype(np.float32)


def test_a_surface_under_other_light_and_noise_is_found_and_others_are_not():
    shade = np.linspace(0, 0.3, 300, dtype=np.float32)
    noise = np.random.default_rng(99).normal(0, 0.005, (240, 300)).astype(np.float32)
    pictures = [texture(seed) for seed in range(30)]
    pictures += [0.8 * texture(4) + shade + noise, texture(7) + noise, texture(4) - shade]
    structures = np.stack([fine_structure(picture) for picture in pictures])
    groups = near_duplicates(structures, [""] * len(pictures))
    assert groups[4] == groups[30] == groups[32] == 0
    assert groups[7] == groups[31] == 1
    assert (np.delete(groups, [4, 7, 30, 31, 32]) == -1).all()


def test_what_all_frames_have_in_common_makes_none_alike():
    edges = np.zeros((240, 300), np.float32)
    edges[::40] = edges[:, ::50] = 0.4
    structures = np.stack([fine_structure(texture(seed) + edges) for seed in range(20)])
    assert (near_duplicates(structures, [""] * 20) == -1).all()


def test_the_same_file_is_the_same_however_little_it_shows():
    blank = np.stack([fine_structure(np.full((50, 50), 0.5, np.float32))] * 5)
    assert near_duplicates(blank, ["a", "b", "a", "", "b"]).tolist() == [0, 1, 0, -1, 1]
    assert near_duplicates(blank, [""] * 5).tolist() == [-1] * 5
    assert near_duplicates(blank[:1], ["a"]).tolist() == [-1]


def test_written_structures_are_read_again():
    structures = [fine_structure(texture(seed)) for seed in range(3)]
    assert np.array_equal(read([written(structure) for structure in structures]), np.stack(structures))
