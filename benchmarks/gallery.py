"""The page on a large dataset: how long it takes to make, to open and to filter, and what it holds in memory.

    python benchmarks/gallery.py [--quick] [--frames 10000] [--work FOLDER] [--json FILE]

The frames are made up: noise, cracks and stains, written by the real writer with scenes that the recipe draws. The page
opens in a headless Chromium from the disk. `open` is from its address to the last thumbnail on the screen, `filter` and
`order` from the click to the last thumbnail of what is then shown: medians. Memory is what the page's own process
holds, after scrolling without what it was about to throw away. With --work the dataset and the page stay, and a stopped
run goes on. Needs Chromium with its driver.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import Figure, report
from procgen.surface.layer import Instance
from scenes import Dataset, DatasetWriter, Recipe, Scene, draw, load_recipe
from scenes.gallery.survey import survey
from scenes.gallery.writing import write_page
from tests.browser import CHROMIUM, DRIVER, Browser, browser

FRAMES, FRAMES_QUICK = 10_000, 400
SIZE = (128, 96)  # pixels, as of thumbnails
SEED = 0
REPEATS = 5
# Calls back with the milliseconds from when a page began to load, or a button was pressed, until all pictures that are
# to be seen are decoded and two frames were painted.
SEEN = """
const done = arguments[arguments.length - 1];
const settled = () => {
  const tiles = [...document.querySelectorAll('.tile')];
  return document.getElementById('count') && tiles.length && tiles.every(tile => tile.querySelector('[data-seen]'));
};
const after = () => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
const look = () => (settled() ? after() : setTimeout(look, 1));
"""
OPENED = SEEN + "const start = 0; look();"
PRESSED = SEEN + (
    "const start = performance.now(), before = document.getElementById('count').textContent + document.querySelector("
    "'.tile').dataset.frame; ACTION; const changed = () => { const now = document.getElementById('count').textContent +"
    " (document.querySelector('.tile')?.dataset.frame ?? ''); if (now !== before) look(); else setTimeout(changed, 1);"
    " }; changed();"
)
ACTIONS = {
    "filter by a class": "document.querySelector('.chip[data-class=crack]').click()",
    "filter by good frames": """document.querySelector('.chip[data-class=""]').click()""",
    "order by brightness": "const sort = document.getElementById('sort'); sort.value = 'brightness'; "
    "sort.dispatchEvent(new Event('change', {bubbles: true}))",
}


def recipe() -> Recipe:
    """Plates with cracks and stains, whose scenes are quickly drawn."""
    fields = load_recipe("plate").only("crack", "water_stains").model_dump(mode="json")
    fields["camera"] |= {"resolution": list(SIZE)}
    return Recipe.model_validate(fields | {"name": "many", "texel_um": 1000})


def scene_of(drawn: Scene, index: int) -> dict[str, Any]:
    """What the writer is handed for a frame: noise with a texture, up to three cracks, up to two stains."""
    rng = np.random.default_rng([SEED, index])
    columns, rows = SIZE
    coarse = rng.normal(0, 1, (rows // 8, columns // 4)).repeat(8, axis=0).repeat(4, axis=1)
    image = 110 + 20 * rng.random() + 8 * coarse + rng.normal(0, 6, (rows, columns))
    defects, impurities, classes = np.zeros((3, rows, columns), np.uint16)
    instances = []
    for number in range(int(rng.integers(0, 4))):
        row, column, length = rng.integers(5, rows - 5), rng.integers(5, 60), rng.integers(10, 60)
        defects[row : row + 2, column : column + length] = number + 1
        instances.append(Instance(number + 1, "defect", "crack"))
    for number in range(int(rng.integers(0, 3))):
        row, column, radius = rng.integers(20, rows - 20), rng.integers(20, columns - 20), rng.integers(4, 16)
        y, x = np.mgrid[:rows, :columns]
        impurities[np.hypot(y - row, x - column) < radius] = number + 1
        instances.append(Instance(number + 1, "impurity", "water_stain"))
    image[defects > 0] -= 50
    image[impurities > 0] += 20
    classes[defects > 0] |= 1
    classes[impurities > 0] |= 2
    pixels = np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return {"image": pixels, "classes": classes, "defects": defects, "impurities": impurities, "instances": instances,
            "scene": drawn}  # fmt: skip


def made(folder: Path, frames: int) -> Dataset:
    if folder.is_dir() and (there := Dataset(folder)).header.frames == len(there) == frames:
        return there
    drawn = recipe()
    writer = DatasetWriter(folder, drawn, SEED, frames)
    for index in writer.missing():
        writer.write(index, **scene_of(draw(drawn, SEED, index), index))
        if index % 500 == 0:
            print(f"{index} of {frames} frames written", file=sys.stderr, flush=True)
    return Dataset(folder)


def pressed(window: Browser, action: str) -> float:
    """Seconds until what an action shows is seen."""
    return float(window.call(PRESSED.replace("ACTION", action))) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer frames, in less than a minute")
    parser.add_argument("--frames", type=int, help="how many")
    parser.add_argument("--work", type=Path, help="folder for the dataset and its page, which stay there")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    if CHROMIUM is None or DRIVER is None:
        print("no Chromium with its driver is installed; nothing is measured")
        return
    frames = arguments.frames or (FRAMES_QUICK if arguments.quick else FRAMES)
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        dataset = made(work / "set", frames)
        began = time.perf_counter()
        looked = survey(dataset, work / "page", lambda what, done, total: None)
        page = write_page(work / "page", looked, command=" ".join(sys.argv))
        making = time.perf_counter() - began
        rows: list[dict[str, Figure]] = [
            {"what": "make the page, a frame", "s": making / frames},
            {"what": "the page alone", "MB": page.stat().st_size / 1e6},
            {"what": "with all that it loads", "MB": sum(f.stat().st_size for f in page.parent.rglob("*.*")) / 1e6},
        ]
        with browser(Path(scratch) / "profile", (1600, 1000)) as window:
            opening = []
            for _ in range(REPEATS):
                window.open(page)
                opening.append(float(window.call(OPENED)) / 1000)
            rows.append({"what": f"open {frames} frames", "s": statistics.median(opening)})
            rows.append({"what": "memory after opening", "MB": memory_of(window)})
            for name, action in ACTIONS.items():
                times = []
                for _ in range(REPEATS):
                    window.open(page)
                    window.call(OPENED)
                    times.append(pressed(window, action))
                rows.append({"what": name, "s": statistics.median(times)})
            for top in range(0, 40):  # past frames from the first to the last
                window.run(f"const w = document.getElementById('wall'); w.scrollTop = {top} / 39 * w.scrollHeight")
                time.sleep(0.1)
            window.devtools("HeapProfiler.collectGarbage", {})
            rows.append({"what": "memory after scrolling through all", "MB": memory_of(window)})
    report(rows, arguments.json, f"{frames} frames")


def memory_of(window: Browser) -> float:
    """MB of the process that runs the page, libraries that it shares with others counted in full."""
    every = psutil.Process(window.driver).children(recursive=True)
    pages = [process for process in every if "--type=renderer" in process.cmdline()]
    return max(process.memory_info().rss for process in pages) / 1e6


if __name__ == "__main__":
    main()
