"""The page worked in a real browser from a file: clicks, drags and keys, against the dataset's own arrays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenes import Dataset, DatasetWriter, draw
from scenes.gallery import packs, writing
from scenes.gallery.judged import Judged
from scenes.gallery.packs import packed
from scenes.gallery.survey import survey
from scenes.gallery.thumbnails import pooled, text
from scenes.gallery.writing import write_page
from tests.browser import CHROMIUM, DRIVER, Browser, browser
from tests.scenes.gallery.conftest import HEIGHT, WIDTH, frame_arrays, recipe_of

FRAMES = 60
THRESHOLD = 4.5
MASKS = "const pen = document.querySelector('{canvas}').getContext('2d'); "
MASKS += "return Array.from(pen.getImageData(0, 0, {width}, {height}).data)"
TILES = "return [...document.querySelectorAll('.tile')].map(tile => tile.dataset.frame)"
NATURAL_WIDTH = "const i = document.querySelector('dialog img'); return i.complete && i.naturalWidth"
BEYOND = "const m = document.querySelector('.scrolled'); return m ? m.scrollWidth - m.clientWidth : 0"


def quiet(what: str, done: int, total: int) -> None:
    pass


def score(index: int) -> float:
    """Of frames with a crack from 4 upwards, of others below 5: neither is told from the other without error."""
    return 4 + index / 30 if index % 2 == 0 else 3 + index / 30


def anomaly_levels(index: int) -> np.ndarray:
    """(96, 128) uint8: high over the left half of the cracks of all frames, and in a square where nothing is."""
    levels = np.zeros((96, 128), np.uint8)
    levels[14:21, 20:40] = 255
    levels[70:80, 20:30] = 255
    return levels


def judgement(dataset: Dataset, found: Any, folder: Path) -> Judged:
    """What an inspector might have said."""
    import io

    from PIL import Image

    def png(index: int) -> str:
        stream = io.BytesIO()
        Image.fromarray(anomaly_levels(index)).save(stream, "PNG")
        return text(stream.getvalue())

    def make(positions: Any, take: Any) -> None:
        for number, position in enumerate(positions):
            take(number, ({}, {"maps": png(position)}))

    scores = np.array([score(index) for index in range(FRAMES)], np.float32)
    seen = np.arange(FRAMES) >= FRAMES - 2
    packs = packed(dataset, folder / "judged-x", 0, make, "", quiet)
    low = np.zeros(FRAMES, np.float32)
    return Judged("eye", "judged-x", THRESHOLD, "by hand", scores, scores[found.frame], low, scores, seen, packs)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    recipe = recipe_of()
    writer = DatasetWriter(folder / "set", recipe, 1, FRAMES)
    for index in range(FRAMES):
        arrays: dict[str, Any] = frame_arrays(7 if index == 35 else index)
        writer.write(index, **arrays, scene=draw(recipe, 1, index))
    writer.finish()
    dataset = Dataset(folder / "set")
    found = survey(dataset, folder / "page", quiet)
    judged = judgement(dataset, found, folder / "page")
    return write_page(folder / "page", found, [judged], command="blemish report set")


@pytest.fixture(scope="module")
def shared(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with its driver is installed")
    with browser(tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def window(shared: Browser, page: Path) -> Iterator[Browser]:
    """The page as it opens."""
    shared.open(page)
    shared.one("#count")
    yield shared
    assert shared.troubles == []


def shown(window: Browser) -> list[int]:
    """Numbers of the frames in the document, in order."""
    return [int(number) for number in window.run(TILES)]


def count(window: Browser) -> int:
    return int(window.text("#count").split()[0])


def pixels(window: Browser, canvas: str, width: int, height: int) -> np.ndarray:
    """(H, W, 4) of a canvas."""
    found = window.run(MASKS.format(canvas=canvas, width=width, height=height))
    return np.array(found, np.uint8).reshape(height, width, 4)


def painted(window: Browser, canvas: str) -> bool:
    return bool(window.run(f"const c = document.querySelector('{canvas}'); return c && c.width > 0 && "
                           "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean)"))  # fmt: skip


def test_only_what_is_on_the_screen_is_in_the_document(window: Browser) -> None:
    first = shown(window)
    assert first[0] == 0
    assert len(first) < FRAMES
    window.run("document.getElementById('wall').scrollTop = 1e6")
    window.wait(lambda: FRAMES - 1 in shown(window), "the last frame")
    assert 0 not in shown(window)
    window.wait(lambda: len(window.find(".tile [data-seen]")) == len(shown(window)), "their pictures")


def test_pictures_come_where_more_packs_are_on_the_screen_than_are_kept(
    shared: Browser, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "FRAMES", 2)
    asset = writing._asset
    monkeypatch.setattr(writing, "_asset", lambda name: asset(name).replace("PACKS_KEPT = 192", "PACKS_KEPT = 3"))
    dataset = Dataset(page.parent.parent / "set")
    few = write_page(tmp_path, survey(dataset, tmp_path, quiet), command="blemish report set")
    assert "PACKS_KEPT = 3" in few.read_text()
    shared.open(few)
    for change in ("", "#falling", '.chip[data-class="crack"]'):
        if change:
            shared.click(change)
        shared.wait(lambda: len(shared.find(".tile [data-seen]")) == len(shown(shared)) > 10, "all pictures")
    assert shared.troubles == []


def test_masks_are_toggled_class_by_class(window: Browser) -> None:
    canvas = "#tile-0 .overlay"
    window.wait(lambda: painted(window, canvas), "masks of frame 0")
    arrays = frame_arrays(0)
    size = (96, 128)
    crack, stain = pooled(arrays["defects"], size) > 0, pooled(arrays["impurities"], size) > 0
    assert np.array_equal(pixels(window, canvas, 128, 96)[..., 3] > 0, crack | stain)
    window.click('[data-mask="water_stain"]')
    assert np.array_equal(pixels(window, canvas, 128, 96)[..., 3] > 0, crack)
    window.press("1")
    assert not painted(window, canvas)
    window.press("2")
    found = pixels(window, canvas, 128, 96)
    assert np.array_equal(found[..., 3] > 0, stain)
    assert np.abs(found[stain][:, :3].astype(int) - [0, 114, 178]).max() < 3  # rounded, as what shines through is
    window.press("m")
    assert not painted(window, canvas)


def test_classes_filter_with_without_and_either(window: Browser) -> None:
    window.click('.chip[data-class="crack"]')
    assert count(window) == 30
    assert all(number % 2 == 0 for number in shown(window))
    window.click('.chip[data-class="water_stain"]')
    assert count(window) == 10
    window.click('.chip[data-class="water_stain"]')
    assert shown(window)[:4] == [2, 4, 8, 10]
    window.click("#clear")
    window.click('.chip[data-class=""]')
    assert count(window) == 30
    assert all(number % 2 for number in shown(window))


def test_numbers_filter_and_order(window: Browser) -> None:
    window.choose("#add", "area")
    window.type('[data-range="area"][data-side="low"]', "300")
    window.press("Enter")
    window.choose("#add", "parameter light.power_w")
    assert count(window) == 40 - sum(4 * (30 + k) < 300 and k % 3 != 0 for k in range(0, FRAMES, 2))
    window.click("#clear")
    window.choose("#sort", "brightness")
    means = {index: frame_arrays(7 if index == 35 else index)["image"].mean() for index in range(FRAMES)}
    expected = sorted(means, key=means.__getitem__)
    assert shown(window)[:5] == expected[:5]
    window.click("#falling")
    assert shown(window)[:5] == expected[:-6:-1]


def test_a_drawn_parameter_is_filtered_by_dragging_over_its_histogram(window: Browser, page: Path) -> None:
    dataset = Dataset(page.parent.parent / "set")
    drawn = survey(dataset, page.parent, quiet).parameters["light.power_w"]
    window.choose("#add", "parameter light.power_w")
    window.drag('[data-quantity="parameter light.power_w"] .u-over', 0.0, 0.5)
    window.wait(lambda: count(window) < FRAMES, "fewer frames")
    low, high = (
        float(window.run(f"return document.querySelector('[data-side={side}]').value")) for side in ("low", "high")
    )
    middle = (drawn.min() + drawn.max()) / 2
    assert high == pytest.approx(middle, abs=0.03 * np.ptp(drawn))
    for margin in (-0.001, 0.001):  # the fields show four digits
        inside = np.flatnonzero((drawn >= low - margin) & (drawn <= high + margin))
        assert np.sign(margin) * (len(inside) - count(window)) >= 0
        assert margin < 0 or set(shown(window)) <= set(inside.tolist())


def test_near_duplicates_are_shown_group_by_group(window: Browser) -> None:
    window.click("#tab-figures")
    assert window.text("#duplicates").startswith("2 frames in 1 groups")
    window.run("[...document.querySelectorAll('button')].find(b => b.textContent.startsWith('Show them')).click()")
    window.wait(lambda: shown(window) == [7, 35], "the two")


def test_a_frame_opens_with_its_masks_and_numbers_and_keys_step_through(window: Browser) -> None:
    window.click('.chip[data-class="crack"]')
    window.click("#wall")
    window.press("Home", "ArrowRight", "Enter")
    window.one("dialog[open]")
    assert window.text("dialog h2") == "Frame 2"
    canvas = "dialog canvas"
    window.wait(lambda: painted(window, canvas), "masks at full size")
    assert np.array_equal(pixels(window, canvas, WIDTH, HEIGHT)[..., 3] > 0, frame_arrays(2)["defects"] > 0)
    window.wait(
        lambda: window.run(NATURAL_WIDTH) == WIDTH,
        "the picture",
    )
    window.press("ArrowRight", "ArrowRight")
    window.wait(lambda: window.text("dialog h2") == "Frame 6", "the frame after the next")
    window.wait(lambda: "light.power_w" in window.text(".facts"), "what was drawn")
    assert "crack" in window.text(".facts table:not(.drawn)")
    both = (frame_arrays(6)["defects"] > 0) | (frame_arrays(6)["impurities"] > 0)
    window.wait(lambda: np.array_equal(pixels(window, canvas, WIDTH, HEIGHT)[..., 3] > 0, both), "masks of frame 6")
    window.press("ArrowLeft", "Escape")
    window.wait(lambda: not window.find("dialog"), "the wall")
    window.run("location.hash = 'frame=31'")
    window.wait(lambda: window.text("dialog h2") == "Frame 31", "the frame of the address")


def test_verdicts_and_counts_follow_the_threshold(window: Browser) -> None:
    scores = np.array([score(index) for index in range(FRAMES)])
    bad, known = np.arange(FRAMES) % 2 == 0, np.arange(FRAMES) < FRAMES - 2

    def expected(threshold: float) -> list[int]:
        flagged = scores >= threshold
        return [
            int(np.sum(known & which)) for which in (bad & flagged, bad & ~flagged, ~bad & flagged, ~bad & ~flagged)
        ]

    def counts() -> list[int]:
        return [int(window.text(f'[data-outcome="{name}"] b')) for name in ("hit", "missed", "false alarm", "passed")]

    window.click('[data-verdict="missed"]')
    assert count(window) == expected(THRESHOLD)[1]
    window.click("#clear")
    window.click("#tab-inspector")
    assert counts() == expected(THRESHOLD)
    window.drag("main .chart .u-over", 0.2, 0.75)
    value = float(window.text("#threshold-value"))
    assert value == pytest.approx(scores.min() + 0.75 * np.ptp(scores), abs=0.03 * np.ptp(scores))
    assert counts() == expected(value)
    window.type("#threshold", "ArrowLeft")
    assert float(window.text("#threshold-value")) < value
    found = window.text('#found tr[data-class="crack"]').split()
    assert [int(word) for word in found if word.isdigit()] == [
        int(np.sum(known & bad)), int(np.sum(known & bad & (scores >= float(window.text("#threshold-value")))))
    ]  # fmt: skip


def test_hits_misses_and_false_alarms_are_green_red_and_blue(window: Browser) -> None:
    window.press("o")
    canvas = "#tile-0 .overlay"
    window.wait(lambda: painted(window, canvas), "an outcome")
    there = pooled(frame_arrays(0)["defects"], (96, 128)) > 0
    found = anomaly_levels(0) >= 255 * THRESHOLD / score(0) if score(0) > THRESHOLD else np.zeros((96, 128), bool)
    picture = pixels(window, canvas, 128, 96).astype(int)
    green, red, blue = (
        (picture[..., 3] > 0) & (picture[..., :3].argmax(axis=-1) == 1),
        (picture[..., 3] > 0) & (picture[..., :3].argmax(axis=-1) == 0),
        (picture[..., 3] > 0) & (picture[..., :3].argmax(axis=-1) == 2),
    )
    assert np.array_equal(green, there & found)
    assert np.array_equal(red, there & ~found)
    assert np.array_equal(blue, ~there & found)
    window.run("location.hash = 'frame=40'")
    canvas = "dialog canvas"
    window.wait(lambda: painted(window, canvas), "the outcome at full size")
    picture = pixels(window, canvas, WIDTH, HEIGHT).astype(int)
    kinds = np.where(picture[..., 3] > 0, picture[..., :3].argmax(axis=-1), -1)
    there = frame_arrays(40)["defects"] > 0
    assert set(np.unique(kinds[there])) == {0, 1}  # the left part is hit, the rest missed
    assert set(np.unique(kinds[~there])) == {-1, 2}
    assert (kinds == 1)[there].sum() == pytest.approx(4 * (40 * WIDTH / 128 - 30), rel=0.25)


def test_places_are_counted_where_things_lie(window: Browser) -> None:
    window.click("#tab-figures")
    window.choose("#where", "picture")
    window.choose("#which", "1")
    counts = [int(word) for word in window.run("return document.getElementById('places').dataset.counts").split()]
    grid = np.array(counts).reshape(-1, 40)
    row, column = (int(value) for value in np.unravel_index(grid.argmax(), grid.shape))
    assert grid.sum() == grid.max() == 20  # all stains lie at one place
    assert abs((column + 0.5) / 40 - 120 / WIDTH) < 0.03
    assert abs((row + 0.5) / grid.shape[0] - 80 / HEIGHT) < 0.04
    assert len(window.find('[data-class="crack"] canvas')) == 2


def test_what_nothing_fits_says_so_and_a_lost_pack_is_named(window: Browser, page: Path) -> None:
    window.click('.chip[data-class="crack"]')
    window.click('.chip[data-class=""]')
    assert count(window) == 0
    assert "No frame is so" in window.text("#wall")
    pack = min((page.parent / "frames" / "details").iterdir())  # that of frame 3
    aside = pack.rename(pack.with_suffix(".aside"))
    try:
        window.click("#clear")
        window.open(page)
        window.one("#count")
        window.run("location.hash = 'frame=3'")
        window.wait(lambda: "cannot be read" in window.text("dialog .notice"), "the file's name")
        assert window.troubles  # the browser's own word on the missing file
    finally:
        aside.rename(pack)


@pytest.mark.parametrize("size", [(1280, 860), (420, 800)])
@pytest.mark.parametrize("dark", [False, True])
def test_nothing_is_wider_than_the_screen(page: Path, tmp_path: Path, size: tuple[int, int], dark: bool) -> None:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with its driver is installed")
    with browser(tmp_path / "profile", size, dark) as window:
        window.open(page)
        window.one("#count")
        for tab in ("frames", "figures", "inspector", "again"):
            window.click(f"#tab-{tab}")
            assert window.run("return document.documentElement.scrollWidth") <= size[0]
            assert window.run(BEYOND) <= 0
        background = window.run("return getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(20, 23, 26)") == dark
        assert window.troubles == []
