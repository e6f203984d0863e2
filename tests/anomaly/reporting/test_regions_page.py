"""The page to draw on, worked in a real browser from a file."""

import base64
import io
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image, ImageDraw

from anomaly.inspection.regions import read_regions
from anomaly.reporting.regions_page import write_regions_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Presses, moves and releases the pointer at places of the picture, and leaves in the page what would be saved.
WORK = """<script>
const box = canvas.getBoundingClientRect();
const place = ([x, y]) => ({clientX: box.left + x / WIDTH * box.width, clientY: box.top + y / HEIGHT * box.height});
const point = (kind, at) => canvas.dispatchEvent(new PointerEvent(kind, {...place(at), bubbles: true}));
const drag = (from, to) => { point("pointerdown", from); point("pointermove", to); point("pointerup", to); };
const key = name => window.dispatchEvent(new KeyboardEvent("keydown", {key: name}));
const choose = value => { find("level").value = value; };
ACTIONS
document.body.innerHTML = `<p id="saved">${drawing().toDataURL("image/png")}</p>`;
</script>"""


@pytest.fixture
def drawn(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")

    def draw(actions, size=(120, 80)):
        picture = np.full((size[1], size[0], 3), 90, np.uint8)
        page = write_regions_page(tmp_path / "look.html", picture, "a <part>.png")
        html = page.read_text()
        page.write_text(html.replace("</body>", WORK.replace("ACTIONS", actions) + "</body>"))
        command = [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1000,900",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", page.as_uri(),
        ]  # fmt: skip
        dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        (saved,) = re.findall(r"data:image/png;base64,([^<\"]+)</p>", dom)
        path = tmp_path / "look.png"
        path.write_bytes(base64.b64decode(saved))
        Image.open(io.BytesIO(path.read_bytes())).verify()
        return read_regions(path).levels

    return draw


def test_rectangles_and_polygons_are_saved_as_levels_without_half_tones(drawn):
    levels = drawn(
        """drag([10, 20], [70, 60]); choose(128); drag([90, 10], [60, 30]);
        find("polygon").click(); choose(0);
        for (const corner of [[20, 30], [50, 30], [35, 50]]) point("pointerdown", corner);
        key("Enter");"""
    )
    assert levels.shape == (80, 120)
    expected = np.zeros((80, 120), np.uint8)
    expected[20:60, 10:70] = 255
    expected[10:30, 60:90] = 128
    triangle = Image.new("1", (120, 80))
    ImageDraw.Draw(triangle).polygon([(20, 30), (50, 30), (35, 50)], fill=1)
    differing = (levels != np.where(np.asarray(triangle), 0, expected)).sum()
    assert differing <= 60  # pixels on the triangle's outline, which Pillow draws too
    assert set(np.unique(levels)) == {0, 128, 255}
    assert levels[40, 35] == 0
    assert levels[25, 65] == 128


def test_a_large_picture_is_drawn_on_at_its_own_size_and_undone(drawn):
    levels = drawn(
        """find("everything").click(); choose(0); drag([0, 0], [1000, 1000]); choose(7); drag([200, 200], [2000, 400]);
        find("undo").click();""",
        size=(2400, 1000),
    )
    assert levels.shape == (1000, 2400)
    assert abs(int((levels == 0).sum()) - 1000 * 1000) <= 1000 * 3  # a pixel of the screen is more than two of its own
    assert set(np.unique(levels)) == {0, 255}
