"""The command `inspect`: pictures without truth in, verdicts out, whatever becomes of it in between."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from anomaly.inspection.inspector import Inspector, InspectorError
from anomaly.inspection.regions import Regions
from anomaly.inspection.threshold import ThresholdRule
from anomaly.inspection.train import train_inspector
from anomaly.line import cli
from anomaly.line.sources import SourceError
from anomaly.line.verdict_file import InspectionError
from procgen.errors import Stopped
from scenes.formats.sample import Sample
from scenes.pictures import png

REPOSITORY = Path(__file__).resolve().parents[3]
SQUARE = (slice(20, 44), slice(30, 54))  # rows and columns of the flaw


def noise(rng, grey=120):
    return rng.normal(grey, 8, (64, 96, 3)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An inspector of quiet grey, with a threshold from 24 of 36 good pictures, and none."""
    root = tmp_path_factory.mktemp("trained")
    rng, samples = np.random.default_rng(0), []
    for index in range(36):
        path = root / f"good{index}.png"
        Image.fromarray(noise(rng)).save(path)
        samples.append(Sample(path.name, path.name, "good", path))
    settings = {"backbone": "filters", "size": 60, "epochs": 2}
    train_inspector(
        samples[:12], root / "inspector", **settings, validation=samples[12:], threshold=ThresholdRule(risk=0.05)
    )
    train_inspector(samples[:12], root / "bare", **settings)
    return root


@pytest.fixture
def pictures(tmp_path):
    """Four good pictures, two flawed ones, and one that is no picture."""
    folder = tmp_path / "today"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for index in range(6):
        picture = noise(rng)
        if index in (2, 4):
            picture[SQUARE] = 255
        Image.fromarray(picture).save(folder / f"{index}.png")
    return folder


def inspect(*arguments):
    app = typer.Typer()
    cli.register(app)
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def lines_of(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_verdicts_go_to_standard_output_and_the_exit_code_says_what_they_are(trained, pictures):
    result = inspect(trained / "inspector", pictures, "--mm-per-pixel", 0.1)
    assert result.exit_code == 1
    lines = lines_of(result.stdout)
    assert [line["verdict"] for line in lines] == ["good", "good", "flawed", "good", "flawed", "good"]
    assert "6 pictures: 4 good, 2 flawed" in result.stderr
    assert inspect(trained / "inspector", pictures / "0.png", pictures / "1.png").exit_code == 0
    (place,) = lines[2]["found"]
    left, top, width, height = place["box"]
    assert abs(left + width / 2 - 42) < 8
    assert abs(top + height / 2 - 32) < 8
    assert place["length_mm"] == pytest.approx(0.1 * place["length_pixels"])
    assert place["area_mm2"] == pytest.approx(0.01 * place["area_pixels"])


def test_a_picture_that_cannot_be_read_is_named_and_the_others_keep_their_verdicts(trained, pictures, tmp_path):
    content = (pictures / "3.png").read_bytes()
    (pictures / "3.png").write_bytes(content[: len(content) // 2])
    result = inspect(trained / "inspector", pictures, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "unreadable" in result.output
    lines = lines_of((tmp_path / "out" / "verdicts.jsonl").read_text())
    assert [line["verdict"] for line in lines] == ["good", "good", "flawed", "unreadable", "flawed", "good"]
    assert "truncated or damaged" in lines[3]["error"]
    assert lines[3]["error"] in (tmp_path / "out" / "inspection.html").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_that_is_no_utf8_is_told_and_the_others_keep_their_verdicts(trained, pictures, tmp_path):
    (pictures / "3.png").rename(pictures / os.fsdecode(b"3 \xfc.png"))
    for _ in range(2):
        assert inspect(trained / "inspector", pictures, "--out", tmp_path / "out").exit_code == 2
        lines = lines_of((tmp_path / "out" / "verdicts.jsonl").read_text())
        assert [line["verdict"] for line in lines] == ["good", "good", "flawed", "unreadable", "flawed", "good"]
        assert lines[3]["picture"] == f"{pictures}/3 \\udcfc.png"
        assert "no UTF-8" in lines[3]["error"]


def test_what_is_written_is_the_verdict_of_the_public_function(trained, pictures, tmp_path):
    out = tmp_path / "out"
    inspect(trained / "inspector", pictures, "--out", out)
    inspector = Inspector.load(trained / "inspector")
    for line in lines_of((out / "verdicts.jsonl").read_text()):
        verdict = inspector.inspect(line["picture"])
        assert (line["verdict"] == "flawed") == verdict.is_flawed
        assert line["score"] == verdict.score
        levels = png.read(out / line["map"]["file"]).astype(float)
        values = line["map"]["low"] + levels / 65535 * (line["map"]["high"] - line["map"]["low"])
        np.testing.assert_allclose(values, verdict.anomaly_map, atol=np.ptp(verdict.anomaly_map) / 65535)
        if verdict.is_flawed:
            assert ((png.read(out / line["mask"]) > 0) == verdict.mask).all()
        overlay = Image.open(out / line["overlay"])
        assert overlay.size == (96 * 2 + 6, 64)
    page = (out / "inspection.html").read_text()
    assert page.count("data:image/jpeg") == 6
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.parametrize("calls", [1, 3, 5])
def test_a_stopped_inspection_goes_on_to_the_same_bytes(trained, pictures, tmp_path, calls, monkeypatch):
    inspect(trained / "inspector", pictures, "--out", tmp_path / "whole")
    original, left = Inspector.verdict, calls

    def stopping(*arguments, **options):
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(Inspector, "verdict", stopping)
    out = tmp_path / "stopped"
    assert isinstance(inspect(trained / "inspector", pictures, "--out", out).exception, Stopped)
    verdicts = out / "verdicts.jsonl"
    if verdicts.exists():
        with verdicts.open("ab") as file:
            file.write(b'{"number": 3, "pict')  # killed while it was written
    left = 99
    inspect(trained / "inspector", pictures, "--out", out)
    assert left == 99 - (6 - calls + 1)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").rglob("*.*") if path.suffix != ".html"}
    assert {path.name: path.read_bytes() for path in out.rglob("*.*") if path.suffix != ".html"} == whole


def test_other_settings_and_damaged_lines_are_refused(trained, pictures, tmp_path):
    out = tmp_path / "out"
    inspect(trained / "inspector", pictures, "--out", out)
    other = inspect(trained / "inspector", pictures, "--out", out, "--smallest", 9)
    assert isinstance(other.exception, InspectionError)
    assert "smallest (0 there, 9 now)" in str(other.exception)
    (out / "verdicts.jsonl").write_text('{"picture": 3}\n')
    assert "line 1 is damaged" in str(inspect(trained / "inspector", pictures, "--out", out).exception)


def test_a_folder_with_other_files_is_refused(trained, pictures):
    refused = inspect(trained / "inspector", pictures, "--out", pictures)
    assert "found other files and no inspection.json" in str(refused.exception)
    assert len(list(pictures.iterdir())) == 6


def test_an_inspector_without_threshold_says_how_to_get_one(trained, pictures):
    result = inspect(trained / "bare", pictures)
    assert isinstance(result.exception, InspectorError)
    assert "blemish bank" in str(result.exception)
    assert "--threshold good:1%" in str(result.exception)
    given = inspect(trained / "bare", pictures, "--threshold", 1e9)
    assert given.exit_code == 0
    assert "holds no scores of good surfaces" in given.stderr


def test_what_is_not_there_is_refused_in_words(trained, tmp_path):
    assert "missing.png: is missing" in str(inspect(trained / "inspector", "missing.png").exception)
    (tmp_path / "set" / "images").mkdir(parents=True)
    Image.new("L", (20, 20)).save(tmp_path / "set" / "images" / "a.png")
    result = inspect(trained / "inspector", tmp_path / "set")
    assert isinstance(result.exception, SourceError)
    assert "there are some in images" in str(result.exception)
    assert "there is no such camera" in str(inspect(trained / "inspector", "camera:99").exception)
    assert "--watch takes one folder" in str(inspect(trained / "inspector", "a.png", "--watch").exception)


def test_each_so_manyth_frame_of_a_film_has_a_verdict_and_none_twice(trained, tmp_path):
    film = cv2.VideoWriter(str(tmp_path / "belt.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (96, 64))
    rng = np.random.default_rng(2)
    for index in range(10):
        frame = noise(rng)
        if index == 6:
            frame[SQUARE] = (0, 0, 255)  # red, as this library has it
        film.write(frame)
    film.release()
    arguments = (trained / "inspector", tmp_path / "belt.avi", "--every", 3, "--out", tmp_path / "out")
    assert inspect(*arguments).exit_code == 1
    content = (tmp_path / "out" / "verdicts.jsonl").read_text()
    lines = lines_of(content)
    assert [line["picture"].rpartition("#")[2] for line in lines] == ["0", "3", "6", "9"]
    assert lines[2]["verdict"] == "flawed"
    red = np.asarray(Image.open(tmp_path / "out" / lines[2]["overlay"]))[30, 42].astype(int)
    assert red[0] > red[2] + 100
    assert inspect(*arguments).exit_code == 1
    assert (tmp_path / "out" / "verdicts.jsonl").read_text() == content
    (tmp_path / "torn.mp4").write_bytes(b"no film")
    torn = inspect(trained / "inspector", tmp_path / "torn.mp4")
    assert torn.exit_code == 2
    assert "is no video that can be read" in torn.stdout


def test_a_watched_folder_gives_verdicts_of_whole_pictures_until_it_is_told_to_end(trained, pictures, tmp_path):
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    out = tmp_path / "out"
    command = [sys.executable, "-m", "blemish", "inspect", trained / "inspector", incoming, "--watch", "--out", out]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE)

    def verdicts():
        path = out / "verdicts.jsonl"
        return lines_of(path.read_text()) if path.exists() else []

    def wait_for(count):
        for _ in range(1200):
            if len(verdicts()) >= count or process.poll() is not None:
                break
            time.sleep(0.05)
        assert len(verdicts()) == count, process.stderr.read() if process.poll() is not None else ""

    try:
        (incoming / "0.png").write_bytes((pictures / "0.png").read_bytes())
        wait_for(1)
        content = (pictures / "2.png").read_bytes()
        with (incoming / "2.png").open("wb") as slow:
            slow.write(content[:2000])
            slow.flush()
            time.sleep(1.5)  # longer than a file must stay as it is
            assert len(verdicts()) == 1
            slow.write(content[2000:])
        wait_for(2)
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1, errors
    assert [line["verdict"] for line in verdicts()] == ["good", "flawed"]
    assert b"2 pictures: 1 good, 1 flawed" in output
    assert "1 flawed" in (out / "inspection.html").read_text()


def test_drift_is_said_where_the_light_changed_and_not_where_it_did_not(trained, tmp_path):
    rng = np.random.default_rng(9)
    for name, deviation in (("same", 8), ("other", 12)):
        (tmp_path / name).mkdir()
        for index in range(40):
            picture = rng.normal(120, deviation, (64, 96, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(picture).save(tmp_path / name / f"{index:03d}.png")
    same = inspect(trained / "inspector", tmp_path / "same", "--out", tmp_path / "a")
    other = inspect(trained / "inspector", tmp_path / "other", "--threshold", 1e9, "--out", tmp_path / "b")
    assert "drift      none seen in" in same.output
    assert "drift      scores of good pictures rose" in other.output
    assert "<strong>Drift.</strong>" in (tmp_path / "b" / "inspection.html").read_text()
    assert "<strong>Drift.</strong>" not in (tmp_path / "a" / "inspection.html").read_text()
    last = lines_of((tmp_path / "b" / "verdicts.jsonl").read_text())[-1]
    assert last["drift"]["is_found"]
    again = inspect(trained / "inspector", tmp_path / "other", "--threshold", 1e9, "--out", tmp_path / "b")
    assert [line for line in again.output.splitlines() if line.startswith("drift")] == [
        line for line in other.output.splitlines() if line.startswith("drift")
    ]


def test_places_are_told_by_their_region_and_what_is_left_out_is_dimmed(trained, pictures, tmp_path):
    levels = np.zeros((64, 96), np.uint8)
    levels[:, :40], levels[:, 60:] = 100, 200
    inspector = Inspector.load(trained / "inspector")
    threshold = inspector.training.threshold
    inspector.with_regions(Regions(levels, {200: 2 * threshold})).save(tmp_path / "parts")
    image = np.asarray(Image.open(pictures / "0.png").convert("RGB")).copy()
    for left in (8, 44, 76):
        image[20:36, left : left + 12] = 255
    Image.fromarray(image).save(tmp_path / "flawed.png")
    run = inspect(tmp_path / "parts", tmp_path / "flawed.png", "--out", tmp_path / "out")
    assert f"region 100 from {threshold:.4g}, region 200 from {2 * threshold:.4g}" in (
        tmp_path / "out" / "inspection.html"
    ).read_text(encoding="utf-8"), run.output
    line = json.loads((tmp_path / "out" / "verdicts.jsonl").read_text())
    assert sorted(found["region"] for found in line["found"]) == [100, 200]
    overlay = np.asarray(Image.open(tmp_path / "out" / line["overlay"]).convert("RGB"))[:, :96]
    assert (overlay[2:10, 2:6] == image[2:10, 2:6]).all()
    assert (overlay[50:60, 44:56] <= 0.35 * image[50:60, 44:56]).all()
