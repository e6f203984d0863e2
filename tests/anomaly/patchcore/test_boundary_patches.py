"""The farthest patches of every row's cell: against brute force, through melding, and in an inspector's life."""

import re

import numpy as np
import pytest
import torch
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from typer.testing import CliRunner

from anomaly import cli
from anomaly.inspection.inspector import BANK_FILE, Inspector, InspectorError, read_tensors, source_of, write_tensors
from anomaly.inspection.maintenance import aged, resized, without_pictures
from anomaly.inspection.maintenance import melded as melded_inspectors
from anomaly.inspection.train import train_inspector
from anomaly.patchcore.boundary_patches import BoundaryPatches, BoundaryPatchFinder, farthest_first, melded
from anomaly.patchcore.coreset import SequentialCoreset
from procgen.errors import BlemishNote
from scenes.formats.registry import read_samples

SETTINGS = {"backbone": "untrained", "seed": 3, "image_size": 80, "size": 50}


def brute_force(patches, bank, each):
    """For every row, (patch, squared distance) of the farthest patches of its cell, all distances at hand."""
    squares = ((patches[:, None].astype(float) - bank[None].astype(float)) ** 2).sum(axis=2)
    nearest = squares.argmin(axis=1)
    cells = []
    for row in range(len(bank)):
        cell = [(patch, squares[patch, row]) for patch in np.flatnonzero(nearest == row) if squares[patch, row] > 0]
        cells.append(sorted(cell, key=lambda found: -found[1])[:each])
    return cells


def found_in_pieces(patches, bank, each, piece):
    finder = BoundaryPatchFinder(torch.from_numpy(bank), each)
    for start in range(0, len(patches), piece):
        part = torch.from_numpy(patches[start : start + piece])
        finder.offer(part, torch.arange(start, start + len(part)), generation=start)
    return finder.found()


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 9),
    each=st.integers(1, 5),
    levels=st.sampled_from([2, 3, 6, 1000]),
    piece=st.integers(1, 80),
)
def test_boundary_patches_are_the_farthest_patches_of_each_cell_in_any_pieces(seed, rows, each, levels, piece):
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, levels, (60, 3)).astype(np.float32)
    bank = patches[rng.choice(60, rows, replace=False)]
    boundary_patches = found_in_pieces(patches, bank, each, piece)
    cells = brute_force(patches, bank, each)
    assert boundary_patches.sources.tolist() == [patch for cell in cells for patch, _ in cell]
    assert boundary_patches.rows.tolist() == [row for row, cell in enumerate(cells) for _ in cell]
    np.testing.assert_array_equal(boundary_patches.features.numpy(), patches[boundary_patches.sources.numpy()])
    np.testing.assert_array_equal(boundary_patches.generations, boundary_patches.sources // piece * piece)
    radii = [np.sqrt(cell[-1][1]) if len(cell) == each else 0.0 for cell in cells]
    np.testing.assert_allclose(boundary_patches.radii, radii, rtol=1e-6)


def test_every_patch_that_is_no_boundary_patch_lies_within_its_rows_radius():
    patches = sheet(3000, 1)
    bank = patches[:40]
    boundary_patches = found_in_pieces(patches.numpy(), bank.numpy(), 3, 700)
    others = np.setdiff1d(np.arange(3000), boundary_patches.sources)
    distances = torch.cdist(patches[others].double(), bank.double(), compute_mode="donot_use_mm_for_euclid_dist")
    nearest, rows = distances.min(dim=1)
    assert bool((nearest <= boundary_patches.radii[rows] * (1 + 1e-6)).all())


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 45), begun=st.integers(1, 10), levels=st.integers(2, 9))
def test_farthest_first_takes_the_worst_covered_point_each_time(seed, size, begun, levels):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, levels, (40, 3)).astype(np.float32)
    hidden = rng.integers(0, 4, 40).astype(np.float32)
    expected = list(range(min(begun, size)))
    while len(expected) < min(size, 40):
        nearest = ((points[:, None] - points[expected]) ** 2).sum(axis=2).min(axis=1)
        if not nearest.any():
            break
        expected.append(int(np.where(nearest > 0, nearest + hidden, -1).argmax()))
    chosen = farthest_first(torch.from_numpy(points), torch.from_numpy(hidden), size, begun)
    assert chosen.tolist() == expected


def sheet(patches, seed):
    """Points of a curved 3-dimensional sheet in 40 dimensions with a little noise, densest in the middle."""
    form, rng = np.random.default_rng(0), np.random.default_rng(seed)
    frequencies, phases, mixing = (
        form.standard_normal((3, 24)),
        form.uniform(0, 6.28, 24),
        form.standard_normal((24, 40)),
    )
    features = np.sin(rng.standard_normal((patches, 3)) @ frequencies + phases) @ mixing
    return torch.from_numpy((features + 0.05 * rng.standard_normal((patches, 40))).astype(np.float32))


def trained(features, size):
    coreset = SequentialCoreset(size)
    while coreset.update(features, torch.arange(len(features))):
        pass
    return coreset


def with_boundary_patches(features, size, each, first=0):
    coreset = trained(features, size)
    coreset._sources += first
    finder = BoundaryPatchFinder(coreset.bank, each)
    finder.offer(features, torch.arange(first, first + len(features)))
    return coreset, finder.found()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_boundary_patches_the_worst_patch_comes_within_a_tenth_of_joint_training(seed):
    features = sheet(6000, seed)
    joint, *halves = (trained(part, 128) for part in (features, *features.split(3000)))
    halves[0].meld(halves[1])
    parts = [with_boundary_patches(half, 128, 4, 3000 * number) for number, half in enumerate(features.split(3000))]
    ours = melded(parts, 128)
    best, plain, cover = (float(bank.nearest(features)[0].max()) for bank in (joint, halves[0], ours))
    assert cover < plain
    assert cover <= 1.1 * best
    assert torch.equal(ours.bank, features[ours.sources])


def test_melding_with_room_keeps_all_rows_and_fills_the_rest_with_boundary_patches():
    parts = [
        with_boundary_patches(half, 60, 2, 2000 * number) for number, half in enumerate(sheet(4000, 4).split(2000))
    ]
    rows = torch.cat([coreset.bank for coreset, _ in parts])
    assert torch.equal(melded(parts, 120).bank, rows)
    larger = melded(parts, 150)
    assert torch.equal(larger.bank[:120], rows)
    boundary_patches = torch.cat([boundary_patches.sources for _, boundary_patches in parts])
    assert len(larger.bank) == 150
    assert bool(torch.isin(larger.sources[120:], boundary_patches).all())
    assert larger.closest > 0


def test_a_bank_melded_with_itself_gains_no_row_twice():
    part = with_boundary_patches(sheet(2000, 5), 60, 2)
    once = melded([part, part], 60)
    assert len(once.bank.unique(dim=0)) == once.count == 60


def test_melding_keeps_the_first_banks_generations_and_leaves_the_parts_alone():
    first, second = (with_boundary_patches(half, 30, 2, 500 * n) for n, half in enumerate(sheet(1000, 6).split(500)))
    first[0]._generations[:] = 2
    first = (first[0], BoundaryPatches(*(t + 3 if n == 3 else t for n, t in enumerate(first[1].tensors().values()))))
    before = first[0].bank
    one = melded([first, second], 40, generation=7)
    assert one.generation == 7
    from_first = one.sources < 500
    assert set(one.generations[from_first].tolist()) <= {2, 3}
    assert set(one.generations[~from_first].tolist()) == {7}
    assert torch.equal(first[0].bank, before)


def test_banks_and_boundary_patches_that_do_not_belong_together_are_refused():
    coreset, boundary_patches = with_boundary_patches(sheet(300, 7), 20, 2)
    wider, wide_boundary_patches = with_boundary_patches(torch.cat([sheet(300, 7), sheet(300, 8)], dim=1), 20, 2)
    with pytest.raises(ValueError, match="the boundary patches of 20 rows for a bank of 30"):
        melded([(trained(sheet(300, 7), 30), boundary_patches)], 20)
    with pytest.raises(ValueError, match="different dimensions"):
        melded([(coreset, boundary_patches), (wider, wide_boundary_patches)], 20)
    with pytest.raises(ValueError, match="no bank to meld"):
        melded([(SequentialCoreset(4), boundary_patches)], 20)
    with pytest.raises(ValueError, match="the bank is empty"):
        BoundaryPatchFinder(torch.empty(0, 3), 1)
    for each in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="expected a whole number of at least 1"):
            BoundaryPatchFinder(coreset.bank, each)
    with pytest.raises(ValueError, match="NaN or infinity"):
        BoundaryPatchFinder(coreset.bank, 1).offer(torch.full((2, 40), torch.nan))
    with pytest.raises(ValueError, match=r"expected \(5,\) int64"):
        BoundaryPatchFinder(coreset.bank, 1).offer(sheet(5, 1), torch.arange(4))


@pytest.fixture(scope="module")
def banks(folders, tmp_path_factory):
    root = tmp_path_factory.mktemp("banks")
    for folder in folders:
        train_inspector(read_samples(folder), root / folder.name, **SETTINGS, boundary_patches=2)
    return root / "dark", root / "bright"


def patches_of(inspector, folder):
    """Features and the number of the picture of every patch."""
    features = {source_of(s.image_path): inspector.features(s.image()) for s in read_samples(folder)}
    numbers = torch.cat([torch.full((len(f),), number) for number, f in features.items()])
    return torch.cat(list(features.values())), numbers


def same(ours, others):
    return all(torch.equal(a, b) for a, b in zip(ours.tensors().values(), others.tensors().values(), strict=True))


def test_training_keeps_the_farthest_patches_and_where_they_are_from(banks, folders):
    inspector = Inspector.load(banks[0])
    boundary_patches = inspector.boundary_patches
    features, numbers = patches_of(inspector, folders[0])
    cells = brute_force(features.numpy(), inspector.model.coreset.bank.numpy(), 2)
    expected = [patch for cell in cells for patch, _ in cell]
    assert torch.equal(boundary_patches.features, features[expected])
    assert torch.equal(boundary_patches.sources, numbers[expected])
    assert inspector.training.history == (
        f"trained with 3 pictures: 50 of 50 rows, {len(boundary_patches)} boundary patches",
    )


def test_boundary_patches_change_nothing_else_and_without_them_the_file_says_nothing_of_them(banks, folders, tmp_path):
    plain = train_inspector(read_samples(folders[0]), tmp_path, **SETTINGS)
    assert torch.equal(plain.model.coreset.bank, Inspector.load(banks[0]).model.coreset.bank)
    with safe_open(tmp_path / BANK_FILE, framework="pt") as file:
        assert "boundary_patches" not in file.metadata()["blemish"]
        assert not any(name.startswith("boundary_patches") for name in file.keys())  # noqa: SIM118
    assert Inspector.load(tmp_path).boundary_patches is None
    with pytest.raises(InspectorError, match=r"boundary patches \(0 there, 2 asked for\) differ"):
        train_inspector(read_samples(folders[0]), tmp_path, **SETTINGS, boundary_patches=2)
    with pytest.raises(InspectorError, match="boundary_patches is -1"):
        train_inspector(read_samples(folders[0]), tmp_path, **SETTINGS, boundary_patches=-1)


def test_a_training_killed_while_it_looks_for_boundary_patches_ends_with_the_same_bytes(banks, folders, tmp_path):
    class Killed(Exception):
        pass

    def kill(what, done, total):
        if what == "boundary patches" and done == 2:
            raise Killed

    samples = read_samples(folders[0])
    with pytest.raises(Killed):
        train_inspector(samples, tmp_path, **SETTINGS, boundary_patches=2, progress=kill)
    train_inspector(samples, tmp_path, **SETTINGS, boundary_patches=2)
    assert (tmp_path / BANK_FILE).read_bytes() == (banks[0] / BANK_FILE).read_bytes()


def test_going_on_looks_at_the_boundary_patches_known_like_at_new_patches(banks, folders, tmp_path):
    begun = Inspector.load(banks[0])
    tuned = train_inspector(read_samples(folders[1]), tmp_path / "a", start=banks[0], seed=3)
    assert tuned.training.boundary_patches == 2
    features, numbers = patches_of(tuned, folders[1])
    every = torch.cat([begun.boundary_patches.features, features])
    cells = brute_force(every.numpy(), tuned.model.coreset.bank.numpy(), 2)
    expected = torch.tensor([patch for cell in cells for patch, _ in cell])
    assert torch.equal(tuned.boundary_patches.features, every[expected])
    assert torch.equal(tuned.boundary_patches.sources, torch.cat([begun.boundary_patches.sources, numbers])[expected])
    assert torch.equal(tuned.boundary_patches.generations, (expected >= len(begun.boundary_patches)).long())
    latest, _ = aged(tuned, 1)
    assert set(latest.boundary_patches.generations.tolist()) == {1}
    assert len(latest.boundary_patches.radii) == latest.model.coreset.count
    none = train_inspector(read_samples(folders[1]), tmp_path / "b", start=banks[0], seed=3, boundary_patches=0)
    assert none.boundary_patches is None


def test_forgotten_pictures_leave_no_boundary_patch_nor_does_one_stay_without_its_row(banks, folders, tmp_path):
    inspector = Inspector.load(banks[0])
    number = source_of(folders[0] / "train" / "good" / "1_1.png")
    assert number in inspector.boundary_patches.sources.tolist()
    changed, _ = without_pictures(inspector, ["1_1.png"])
    assert number not in changed.boundary_patches.sources.tolist()
    before = {
        tuple(patch): tuple(row)
        for patch, row in zip(
            inspector.boundary_patches.features.tolist(),
            inspector.model.coreset.bank[inspector.boundary_patches.rows].tolist(),
            strict=True,
        )
    }
    assert 0 < len(changed.boundary_patches) < len(inspector.boundary_patches)
    for patch, row in zip(changed.boundary_patches.features, changed.boundary_patches.rows, strict=True):
        assert before[tuple(patch.tolist())] == tuple(changed.model.coreset.bank[row].tolist())
    changed.save(tmp_path)
    assert same(Inspector.load(tmp_path).boundary_patches, changed.boundary_patches)


def test_growing_keeps_boundary_patches_and_shrinking_drops_them_and_says_so(banks, tmp_path):
    inspector = Inspector.load(banks[0])
    grown = resized(inspector, 70)
    grown.save(tmp_path)
    assert same(Inspector.load(tmp_path).boundary_patches, inspector.boundary_patches)
    small = resized(inspector, 20)
    assert small.boundary_patches is None
    assert small.training.boundary_patches == 0
    assert small.training.history[-1] == "resized to 20 without the boundary patches: 20 of 20 rows"


def test_banks_with_boundary_patches_are_melded_with_them_and_others_as_before(banks, folders, tmp_path):
    parts = [Inspector.load(bank) for bank in banks]
    one = melded_inspectors(parts)
    expected = melded([(part.model.coreset, part.boundary_patches) for part in parts], 50)
    assert torch.equal(one.model.memory_bank, expected.bank)
    assert torch.equal(one.model.coreset.sources, expected.sources)
    assert one.boundary_patches is None
    count = sum(len(part.boundary_patches) for part in parts)
    assert one.training.history[-1] == f"melded from 2 banks with {count} boundary patches: 50 of 50 rows"
    known = {}
    for folder in folders:
        features, numbers = patches_of(one, folder)
        known |= {number: features[numbers == number] for number in numbers.unique().tolist()}
    for row, source in zip(one.model.coreset.bank, one.model.coreset.sources.tolist(), strict=True):
        assert bool((known[source] == row).all(dim=1).any())
    plain = train_inspector(read_samples(folders[1]), tmp_path, **SETTINGS)
    mixed = melded_inspectors([parts[0], plain])
    by_rows = SequentialCoreset(50)
    by_rows.update(parts[0].model.coreset.bank)
    by_rows.update(plain.model.coreset.bank)
    assert torch.equal(mixed.model.coreset.bank, by_rows.bank)
    assert mixed.training.history[-1] == "melded from 2 banks without boundary patches, which only 1 had: 50 of 50 rows"
    with pytest.raises(InspectorError, match="size is 0"):
        melded_inspectors(parts, 0)


@pytest.mark.parametrize(
    "damage",
    [
        {"boundary_patches.radii": torch.zeros(3)},
        {"boundary_patches.rows": torch.full((4,), 77), "boundary_patches.features": torch.zeros(4, 152)},
        {"boundary_patches.features": None},
    ],
)
def test_boundary_patches_that_do_not_fit_their_bank_are_refused(banks, tmp_path, damage):
    tensors, described = read_tensors(banks[0] / BANK_FILE)
    changed = {name: tensor for name, tensor in {**tensors, **damage}.items() if tensor is not None}
    write_tensors(tmp_path / BANK_FILE, changed, described)
    with pytest.raises(InspectorError, match="incomplete or damaged"):
        Inspector.load(tmp_path)


def test_banks_of_schema_1_call_them_outposts_and_are_read(banks, tmp_path):
    content = (banks[0] / BANK_FILE).read_bytes()
    header = int.from_bytes(content[:8], "little")
    names = content[8 : 8 + header].replace(b"boundary_patches", b"outposts").replace(b'schema\\": 2', b'schema\\": 1')
    names = re.sub(rb'\\"sha256\\": \\"[0-9a-f]{64}\\", ', b"", names)
    tmp_path.joinpath(BANK_FILE).write_bytes(len(names).to_bytes(8, "little") + names + content[8 + header :])
    with pytest.warns(BlemishNote, match="holds no digest"):
        old = Inspector.load(tmp_path)
    new = Inspector.load(banks[0])
    assert old.training == new.training
    assert same(old.boundary_patches, new.boundary_patches)


def test_commands_train_look_at_and_meld_with_boundary_patches(folders, banks, tmp_path):
    app = typer.Typer()
    cli.register(app)

    def command(*arguments):
        run = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert run.exit_code == 0, run.output
        return run.output

    options = ("--backbone", "untrained", "--size", 50, "--boundary-patches", 1, "--epochs", 1)
    assert "at most 1 a row, for melding" in command("train", folders[0], *options, "--out", tmp_path / "a")
    count = len(Inspector.load(banks[0]).boundary_patches)
    assert f"boundary  {count} patches, at most 2 a row" in command("bank", banks[0])
    assert "melded from 2 banks with" in command("meld", *banks, "--out", tmp_path / "b")
    assert "boundary  " not in command("bank", tmp_path / "b")
