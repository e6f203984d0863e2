"""The report is one closed file whose figures are those of its input; results survive the way over the disk."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

import scenes
from anomaly.evaluation.metrics import Evaluator
from anomaly.evaluation.results import InspectorRecord, ResultsError, ResultsWriter, read_results
from anomaly.reporting import report_pictures as pictures
from anomaly.reporting.charts import Line, line_chart, score_chart
from anomaly.reporting.report import ReportError, class_styles, separation, summarise, varied, write_report
from procgen.surface.layer import Instance
from scenes.datasets.files import sealed_pieces
from scenes.datasets.writer import DatasetWriter
from scenes.formats.registry import read_samples
from scenes.formats.sample import Sample
from scenes.formats.truth import DefectInstance, Truth
from scenes.pictures import bands as reading_bands
from scenes.pictures import on_disk, regions

HOSTILE = '<script>alert("x")</script>'
VOID = {"meta", "img", "input", "path", "circle", "rect"}


class Page(HTMLParser):
    """Every tag with its attributes, the text of the page, and the figures marked in it."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text, self.figures, self.open = [], [], {}, []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            opened, _ = self.open.pop()
            assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)
        figure = self.open[-1][1].get("data-figure") if self.open else None
        if figure:
            self.figures[figure] = data

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]

    def words(self):
        return re.sub(r"\s+", " ", " ".join(self.text))


def decoded(uri):
    head, content = uri.split(",", 1)
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    image = Image.open(io.BytesIO(base64.b64decode(content, validate=True)))
    image.load()
    return image


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """A Blemish dataset of five small frames: a crack of 20 pixels in frames 1 and 3, a stain under it in frame 3."""
    recipe = scenes.load_recipe("plate")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (64, 48)})})
    folder = tmp_path_factory.mktemp("data") / "renders"
    writer = DatasetWriter(folder, recipe, 7, 5)
    rng = np.random.default_rng(0)
    for index in writer.missing():
        classes, defects, impurities = (np.zeros((48, 64), np.uint16) for _ in range(3))
        instances = []
        if index in (1, 3):
            defects[20, 10:30] = 1
            # The second one is out of the camera's sight.
            instances += [Instance(1, "defect", "crack"), Instance(2, "defect", "crack")]
        if index == 2:
            instances.append(Instance(1, "defect", "crack"))
        if index == 3:
            impurities[10:30, 20:40] = 4
            instances.append(Instance(4, "impurity", "water_stain"))
        classes[...] = (defects > 0) + 2 * (impurities > 0)
        image = rng.integers(100, 140, (48, 64, 3), np.uint8)
        writer.write(index, image, classes, defects, impurities, scenes.draw(recipe, 7, index), instances)
    writer.finish()
    return folder


def evaluate(folder, samples, maps, threshold=1.0):
    evaluator, writer = Evaluator(threshold), ResultsWriter(folder)
    for sample, anomaly_map in zip(samples, maps, strict=True):
        truth = sample.truth()
        evaluator.update(anomaly_map, truth, sample.label)
        writer.add(sample, float(anomaly_map.max()), anomaly_map, truth)
    return writer.finish(
        evaluator.compute(),
        InspectorRecord("mobilenet <b>v3</b>", False, "Random weights from seed 3.", 2048, 152, ("tiles",), 3),
        command=f"blemish evaluate bank {HOSTILE}",
        evaluated_on=("renders",),
        threshold_origin="Best F1 over 2 validation samples.",
        versions={"torch": "2.13"},
    )


@pytest.fixture(scope="module")
def evaluated(rendered, tmp_path_factory):
    samples = read_samples(rendered)
    rng = np.random.default_rng(1)
    maps = [rng.random((48, 64)).astype(np.float32) + 0.8 * s.truth().defect for s in samples]
    return evaluate(tmp_path_factory.mktemp("results"), samples, maps), maps


@pytest.fixture(scope="module")
def page(rendered, evaluated, tmp_path_factory):
    record, _ = evaluated
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, datasets=[rendered], evaluation=record.folder, command="blemish demo --seed 7")
    return Page(path)


def test_nothing_in_the_page_comes_from_elsewhere(page):
    assert page.open == []
    assert not page.all("link")
    assert not page.all("iframe")
    for _, attributes in page.tags:
        for name, value in attributes.items():
            if name == "src":
                decoded(value)
            elif name in ("href", "action", "poster", "data", "srcset", "xlink:href"):
                assert value.startswith("#")
    style_and_script = re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", page.source, re.S)
    for text in style_and_script:
        assert "url(" not in text
        assert "@import" not in text
        assert "//" not in text
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_figures_are_those_of_the_evaluation(page, evaluated):
    metrics = evaluated[0].metrics
    for name in ("image_auroc", "aupro", "mean_defect_wise_recall", "pixel_f1", "pixel_precision", "pixel_recall"):
        assert page.figures[name] == f"{getattr(metrics, name):.3f}"
    assert page.figures["pixel_auroc"] == f"{metrics.pixel_auroc:.3f}"
    assert page.figures["threshold"] == "1"
    words = page.words()
    assert "Inspector evaluated on 5 pictures, 3 of them good" in words
    assert "The backbone is untrained." in words
    assert "Random weights from seed 3." in words
    assert "blemish demo --seed 7" in words
    assert "Best F1 over 2 validation samples." in words
    assert "torch 2.13" in words


def test_counts_and_sizes_are_those_of_the_masks(rendered):
    summary = summarise(rendered)
    assert (summary.frames, summary.good) == (5, 3)
    crack, stain = summary.classes
    assert (crack.name, crack.family, crack.frames, crack.areas) == ("crack", "defect", 2, [20, 20])
    assert (stain.name, stain.family, stain.frames, stain.areas) == ("water_stain", "impurity", 1, [400])
    assert summary.origin["recipe"] == "plate"
    assert summary.origin["seed"] == "7"
    names = [quantity.name for quantity in summary.quantities]
    assert "sensor.exposure" in names
    assert not any("seed" in name for name in names)
    exposures = [frame.scene.sensor.exposure for frame in scenes.Dataset(rendered)]
    exposure = summary.quantities[names.index("sensor.exposure")]
    assert (exposure.low, exposure.median, exposure.high) == (min(exposures), np.median(exposures), max(exposures))


def test_frames_carry_one_overlay_per_class_that_a_box_hides(page):
    toggles = [i["id"] for i in page.all("input")]
    labels = [x["for"] for x in page.all("label")]
    assert sorted(toggles) == sorted(labels) == ["d0-defect0", "d0-impurity0"]
    overlays = [i for i in page.all("img") if i.get("class", "").startswith("mask")]
    assert sorted(i["class"] for i in overlays) == ["mask m-defect0", "mask m-defect0", "mask m-impurity0"]
    for key in ("defect0", "impurity0"):
        assert f"#d0-{key}:not(:checked) ~ .grid .m-{key} {{ display: none; }}" in page.source
    crack = np.asarray(decoded(overlays[0]["src"]).convert("RGBA"))
    assert crack.shape == (48, 64, 4)
    assert np.all(crack[20, 10:30, 3] > 0)
    assert np.all(crack[..., 3][np.r_[0:18, 23:48]] == 0)
    assert "#" + bytes(crack[20, 15, :3]).hex() == class_styles([("defect", "crack")])["crack"].colour


def test_hostile_names_stay_text(tmp_path):
    picture = tmp_path / "a.png"
    Image.fromarray(np.full((16, 16), 90, np.uint8)).save(picture)
    mask = np.zeros((16, 16), bool)
    mask[4:8, 4:8] = True

    class Told:
        def read(self, shape, image_path, folder=None):
            return Truth(mask, (DefectInstance(HOSTILE, "defect", mask),))

    samples = [
        Sample(f"{HOSTILE}\" onload='x'", "a", HOSTILE, picture, Told()),
        Sample("../../b", "b", "good", picture),
    ]
    record = evaluate(tmp_path / "results", samples, [mask * 2.0, np.eye(16)])
    write_report(tmp_path / "r.html", evaluation=record, command=HOSTILE, versions={HOSTILE: HOSTILE})
    page = Page(tmp_path / "r.html")
    assert len(page.all("script")) == 1
    assert not page.all("b")
    assert not any("onload" in attributes for _, attributes in page.tags)
    assert HOSTILE in page.words()
    assert sorted(p.name for p in (tmp_path / "results").glob("pictures-*/maps/*")) == ["000000.png", "000001.png"]


def test_clearest_and_hardest_samples_are_named_as_such(tmp_path):
    rng = np.random.default_rng(4)
    picture = tmp_path / "a.png"
    Image.fromarray(np.full((32, 32), 90, np.uint8)).save(picture)
    mask = np.zeros((32, 32), bool)
    mask[8:12, 5:25] = True

    class Crack:
        def read(self, shape, image_path, folder=None):
            return Truth(mask, (DefectInstance("crack", "defect", mask),))

    strengths = {"blind": -2.0, "weak": 0.3, "fair": 0.8, "sharp": 2.0}
    samples = [Sample(name, name, "crack", picture, Crack()) for name in strengths]
    maps = [rng.random((32, 32)) + strength * mask for strength in strengths.values()]
    write_report(tmp_path / "r.html", evaluation=evaluate(tmp_path / "e", samples, maps), command="x")
    words = Page(tmp_path / "r.html").words()
    clearest, hardest = words[words.index("Clearest") :].split("Hardest")
    assert clearest.index("sharp") < clearest.index("fair")
    assert hardest.index("blind") < hardest.index("weak")
    assert "False alarms" not in words
    assert "n/a" in words  # no good sample, no image AUROC


def test_separation_within_a_picture_equals_scikit_learn(monkeypatch):
    rng = np.random.default_rng(3)
    levels, truth = rng.integers(0, 20, (30, 30)).astype(np.uint16), rng.random((30, 30)) > 0.8
    assert separation(levels, truth) == pytest.approx(roc_auc_score(truth.ravel(), levels.ravel()))
    monkeypatch.setattr(regions, "BAND", 100)
    assert separation(levels, truth) == pytest.approx(roc_auc_score(truth.ravel(), levels.ravel()))
    assert separation(levels, np.zeros((30, 30), bool)) is None


@pytest.mark.parametrize("size", [(40, 30), (101, 7), (13, 77)])
def test_pictures_are_shrunk_band_by_band_as_pillow_shrinks_the_whole(size, monkeypatch):
    image = np.random.default_rng(0).integers(0, 256, (77, 101, 3), np.uint8)
    monkeypatch.setattr(regions, "BAND", 5 * 101)
    np.testing.assert_array_equal(
        pictures.shrunk(image, size), np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    )


def test_results_survive_the_disk(evaluated):
    record, maps = evaluated
    again = read_results(record.folder)
    assert again == record
    for sample, anomaly_map in zip(again.samples, maps, strict=True):
        read = again.anomaly_map(sample)
        np.testing.assert_allclose(read, anomaly_map, atol=float(np.ptp(anomaly_map)) / 65535)
        assert again.picture(sample).size == (64, 48)
    assert [int(again.truth(s).sum()) for s in again.samples] == [0, 20, 0, 20, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"results\.json is missing"),
        ("{", "is no results file"),
        ('{"schema": 99}', "schema 99 found, 1 expected"),
        ("[]", "schema list found"),
        ('{"schema": 1}', "incomplete or damaged"),
        ('{"schema": 1, "metrics": %s}' % ("9" * 400), "found a number of 400 digits"),
        ("[" * 100_000, "is no results file"),
    ],
)
def test_unreadable_results_are_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(ResultsError, match=message) as caught:
        read_results(tmp_path)
    assert "\n" not in str(caught.value)


def test_results_cannot_lead_out_of_their_folder(rendered, tmp_path):
    samples = read_samples(rendered)[:1]
    evaluate(tmp_path / "e", samples, [np.eye(48, 64)])
    path = tmp_path / "e" / "results.json"
    spoilt = re.sub(r"pictures-\w+/images/000000.jpg", "../../secret.jpg", path.read_text()).rpartition(",")[0]
    path.write_bytes(b"".join(sealed_pieces([spoilt.encode()])))  # by one who knows how
    record = read_results(tmp_path / "e")
    with pytest.raises(ResultsError, match="outside its folder"):
        record.picture(record.samples[0])


def test_an_unwritable_place_leaves_nothing_behind(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(tmp_path / "file" / "report.html", command="x")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    with pytest.raises(ResultsError, match="cannot be written"):
        ResultsWriter(tmp_path / "file")


def test_a_report_without_inspector_or_without_dataset_is_whole(rendered, tmp_path):
    write_report(tmp_path / "a.html", datasets=[rendered], command="x")
    page = Page(tmp_path / "a.html")
    assert page.open == []
    assert not page.figures
    assert "All 5 pictures are shown" in page.words()
    write_report(tmp_path / "b.html", command="only this")
    assert "only this" in Page(tmp_path / "b.html").words()


def test_the_same_input_gives_the_same_file(rendered, evaluated, tmp_path):
    for name in ("a.html", "b.html"):
        write_report(tmp_path / name, datasets=[rendered], evaluation=evaluated[0], command="x")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_large_pictures_are_shown_by_bands_from_a_disk_as_small_ones_are(rendered, evaluated, tmp_path, monkeypatch):
    write_report(tmp_path / "a.html", datasets=[rendered], evaluation=evaluated[0], command="x")
    monkeypatch.setattr(on_disk, "LARGE", 1)
    monkeypatch.setattr(regions, "BAND", 5 * 64)
    monkeypatch.setattr(reading_bands, "AT_ONCE", 7 * 64)
    record = evaluated[0]
    assert isinstance(record.levels(record.samples[1], tmp_path), on_disk.ArrayOnDisk)
    assert isinstance(record.truth(record.samples[1], tmp_path), on_disk.ArrayOnDisk)
    write_report(tmp_path / "b.html", datasets=[rendered], evaluation=record, command="x")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("folder", [None, "."])
def test_a_damaged_truth_is_named(rendered, tmp_path, folder, monkeypatch):
    monkeypatch.setattr(on_disk, "LARGE", 1)
    record = evaluate(tmp_path / "e", read_samples(rendered)[:1], [np.eye(48, 64)])
    path = tmp_path / "e" / record.samples[0].truth
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    scratch = None if folder is None else tmp_path
    with pytest.raises(ResultsError, match=r"truths/000000\.png: .* run the evaluation again"):
        record.truth(record.samples[0], scratch)
    with pytest.raises(ResultsError, match=r"truths/000000\.png: is truncated or damaged .* run the evaluation again"):
        replace(record, digests={}).truth(record.samples[0], scratch)
    path.unlink()
    with pytest.raises(ResultsError, match=r"truths/000000\.png: .* run the evaluation again"):
        record.truth(record.samples[0], scratch)


def test_shown_frames_are_few_and_of_every_label():
    labels = ["good"] * 90 + ["crack"] * 8 + ["pit"] * 2
    samples = [Sample(str(k), str(k), label, None) for k, label in enumerate(labels)]
    chosen = varied(samples, 12)
    assert len(chosen) == len({s.name for s in chosen}) == 12
    assert {s.label: sum(t.label == s.label for t in chosen) for s in chosen} == {"good": 5, "crack": 5, "pit": 2}
    assert {s.name for s in varied(samples[:3], 12)} == {"0", "1", "2"}


def test_classes_keep_their_colours_whatever_their_order_and_capitals():
    classes = [("impurity", "water_stain"), ("defect", "crack"), ("defect", "Crack"), ("defect", "pit")]
    styles = class_styles(classes)
    assert styles == class_styles(classes[::-1])
    assert styles["crack"].colour == styles["Crack"].colour
    many = class_styles([("defect", f"class {k}") for k in range(15)])
    assert len({(s.colour, s.dashes) for s in many.values()}) == len({s.key for s in many.values()}) == 15


def test_a_hairline_stays_visible_in_a_thumbnail():
    mask = np.zeros((2000, 2400), bool)
    mask[1001, 300:900] = True
    small = pictures.shrunk_mask(mask, pictures.fitted(2400, 2000, 480))
    assert small.shape == (400, 480)
    assert small[200, 61:179].all()
    assert small.any(axis=1).sum() == 1


def test_heat_grows_brighter_and_outlines_lie_outside():
    ramp = pictures.heat(np.linspace(-1, 2, 50)[None], 0, 1)[0].astype(int)
    brightness = ramp @ [299, 587, 114]
    assert np.all(np.diff(brightness) >= 0)
    assert ramp[0].max() < 5  # black
    assert (ramp[-1, :2] > 250).all()  # pale yellow
    assert 100 < ramp[-1, 2] < 200
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    drawn = pictures.outlined(np.zeros((9, 9, 3), np.uint8), mask, (255, 255, 255))[..., 0] > 0
    assert not drawn[4, 4]
    assert drawn[4, [2, 3, 5, 6]].all()
    assert not drawn[4, [1, 7]].any()


def test_line_charts_put_values_where_they_belong():
    chart = line_chart("t", [Line("<b>", (0, 0.5, 1), (0, 1, 0.25), "#123456")], x_label="x", y_label="y", markers=True)
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', chart)
    xs, ys = zip(*((float(x), float(y)) for x, y in circles), strict=True)
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], abs=0.11)
    assert (ys[0] - ys[2]) / (ys[0] - ys[1]) == pytest.approx(0.25, abs=0.01)
    assert "<b>" not in chart


@pytest.mark.parametrize("scores", [[3.0], [3.0, 3.0], [0.0, 1e-9], [-5.0, 5e6], [1.0000001, 1.0000002]])
def test_score_charts_take_any_range(scores):
    chart = score_chart("t", [("good", scores, "#000000")], (scores[0], "threshold"))
    assert "nan" not in chart
    assert chart.count("<text") >= 5
