"""Which device a rendering runs on, and what is said where it is not the one that was asked for."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from blender_addon import render_dataset
from blender_addon.workers import process, render
from blender_addon.workers.blenders import own
from blender_addon.workers.control import Control
from blender_addon.workers.devices import BACKENDS, NAMES, usable_device
from blender_addon.workers.job import Job
from blender_addon.workers.process import Rendering
from procgen.errors import BlemishError
from scenes import DatasetError, DatasetWriter, load_recipe
from scenes.jobs.executor import Place
from scenes.jobs.local import Local
from tests.blender_addon.recipes import small
from tests.blender_addon.workers.test_render import contents

TWO_CARDS = {"optix": ["A", "B"], "cuda": ["A", "B"], "hip": []}


@pytest.mark.parametrize(
    ("wanted", "found", "device", "told"),
    [
        ("cpu", TWO_CARDS, "cpu", None),
        ("cuda", TWO_CARDS, "cuda", None),
        ("auto", TWO_CARDS, "optix", None),
        ("auto", {"hip": ["C"], "cuda": []}, "hip", None),
        ("auto", {}, "cpu", None),
        ("hip", TWO_CARDS, "cpu", "device hip: Blender found no card for it; usable here: optix (A, B), cuda (A, B); "
         "rendering on the processor"),
        ("metal", {}, "cpu", "device metal: Blender found no card for it; no graphics card is usable here; rendering "
         "on the processor"),
    ],
)  # fmt: skip
def test_a_device_that_is_not_there_falls_back_to_the_processor_and_says_so(
    wanted: str, found: dict[str, list[str]], device: str, told: str | None
) -> None:
    assert usable_device(wanted, found) == (device, told)


def test_a_name_that_is_no_device_is_refused() -> None:
    with pytest.raises(BlemishError, match="device: found gpu; expected one of cpu, optix, cuda, hip, metal, oneapi"):
        usable_device("gpu", {})


def jobs_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: int | None) -> list[Job]:
    """The jobs that would be started on a machine with three cards."""
    begun: list[Job] = []

    class Enough(BlemishError):
        pass

    def run(executor: Local, work: Rendering, tasks: Sequence[int], *others: object) -> None:
        assert list(tasks) == list(range(10))
        begun.extend(work.open(Place(number)) for number in range(executor.workers))
        raise Enough

    monkeypatch.setattr(render, "cards_of", lambda program: {"cuda": ["A", "B", "C"]})
    monkeypatch.setattr(Local, "run", run)
    monkeypatch.setattr(process, "BlenderProcess", lambda program, job, *others: job)
    with pytest.raises(Enough):
        render_dataset(load_recipe("plate"), tmp_path / "set", 10, device="auto", workers=workers)
    return begun


def test_there_is_one_process_a_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    jobs = jobs_with(monkeypatch, tmp_path, None)
    assert [(job.device, job.card) for job in jobs] == [("cuda", 0), ("cuda", 1), ("cuda", 2)]
    assert not (tmp_path / "set").exists()  # nothing came of it


def test_more_processes_than_cards_share_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [job.card for job in jobs_with(monkeypatch, tmp_path, 5)] == [0, 1, 2, 0, 1]


@pytest.mark.render
def test_this_blender_lists_its_cards_and_renders_without(tmp_path: Path) -> None:
    found = render.cards_of(own())
    assert found.keys() == BACKENDS.keys()
    absent = next(name for name in NAMES if name != "cpu" and not found.get(name))
    told: list[str] = []
    recipe = small(load_recipe("plate"))
    render_dataset(recipe, tmp_path / "fallen back", 1, samples=1, device=absent, on_note=told.append)
    render_dataset(recipe, tmp_path / "processor", 1, samples=1)
    assert contents(tmp_path / "fallen back") == contents(tmp_path / "processor")
    (sentence,) = told
    assert sentence.startswith(f"device {absent}: Blender found no card for it")


@pytest.mark.render
def test_a_card_that_is_gone_is_told_of(tmp_path: Path) -> None:
    recipe = small(load_recipe("plate"))
    DatasetWriter(tmp_path / "set", recipe, 0, 1, samples=1, device="cuda")
    work = Rendering(Job(recipe.model_dump_json(), 0, 1, device="cuda"), own(), None, None, 100, Control())
    blender = work.open(Place(99))
    try:
        with pytest.raises(BlemishError, match=r"device cuda: found \d+ cards; expected at least 100: use --device"):
            blender.do(0)
    finally:
        blender.stop()
    with pytest.raises(DatasetError, match=r"settings\.device is 'cuda' there and not given now"):
        render_dataset(recipe, tmp_path / "set", 1, samples=1)
