"""The page as a file: what it says, and that nothing a dataset is called can run on it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from procgen.surface.layer import Instance
from scenes import Dataset, DatasetWriter, draw
from scenes.datasets.files import page_seal_of
from scenes.gallery.survey import survey
from scenes.gallery.writing import PAGE, write_page
from tests.scenes.gallery.conftest import frame_arrays, recipe_of

HOSTILE = "</script><img src=x onerror=alert(1)><!-- ' \" & \u2028"


class Elements(HTMLParser):
    """The scripts of a page with their attributes, and the names of all its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.names: list[str] = []
        self.contents = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag == "meta" and dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.contents = str(dict(attrs)["content"])

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """The page of a dataset with a class and folders of such names."""
    recipe = recipe_of()
    folder = tmp_path / "a 'set' #1 %41 <b>"
    writer = DatasetWriter(folder, recipe, 1, 3, classes={HOSTILE: "defect"}, note=HOSTILE)
    for index in range(3):
        arrays: dict[str, Any] = frame_arrays(index)
        arrays["instances"] = [
            Instance(i.id, i.family, HOSTILE if i.id == 1 else i.class_name) for i in arrays["instances"]
        ]
        writer.write(index, **arrays, scene=draw(recipe, 1, index))
    writer.finish()
    page = tmp_path / "the page's <i>folder"
    return write_page(page, survey(Dataset(folder), page, quiet), command=f"blemish report {HOSTILE}")


def data_of(page: Path) -> dict[str, Any]:
    scripts = Elements(page.read_text(encoding="utf-8")).scripts
    return dict(json.loads(next(text for attributes, text in scripts if attributes.get("id") == "data")))


def test_names_stay_names(hostile: Path) -> None:
    found = Elements(hostile.read_text(encoding="utf-8"))
    assert "img" not in found.names
    assert len(found.scripts) == 3
    data = data_of(hostile)
    assert data["classes"][-1]["name"] == HOSTILE
    assert HOSTILE in data["command"]
    assert f"note {HOSTILE}" in data["facts"]


def test_only_the_page_s_own_scripts_may_run(hostile: Path) -> None:
    found = Elements(hostile.read_text(encoding="utf-8"))
    (allowed,) = re.findall(r"script-src ([^;]*)", found.contents)
    own = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for attributes, text in found.scripts[1:]}
    assert set(re.findall(r"'sha256-([^']+)'", allowed)) == own
    assert "unsafe" not in allowed
    assert "default-src 'none'" in found.contents


def test_what_the_page_loads_is_there(hostile: Path) -> None:
    data = data_of(hostile)
    for url in [*data["thumbnails"], *data["details"]]:
        text = (hostile.parent / url).read_text(encoding="ascii")
        name, content = json.loads(f"[{text.removeprefix('pack(').removesuffix(');' + chr(10))}]")
        assert url.startswith(f"{name}-")
        assert len(content) == 3
    assert (hostile.parent / unquote(data["images"]) / "000002.png").is_file()


def test_numbers_arrive_as_they_were(make, tmp_path: Path) -> None:
    dataset = make(4)
    found = survey(dataset, tmp_path / "page", quiet)
    data = data_of(write_page(tmp_path / "page", found, command="x"))
    for name in ("frame", "area", "contrast", "u"):
        values = np.frombuffer(base64.b64decode(data["things"][name]), "<f4")
        assert np.array_equal(values, getattr(found, name).astype(np.float32), equal_nan=True)
    assert data["indices"] == [0, 1, 2, 3]
    assert [entry["family"] for entry in data["classes"]] == ["defect", "impurity"]


def test_the_page_holds_its_digest_and_the_licences_of_what_it_is_built_on(make, tmp_path: Path) -> None:
    page = write_page(tmp_path / "page", survey(make(2), tmp_path / "page", quiet), command="x")
    assert page == tmp_path / "page" / PAGE
    content = page.read_bytes()
    assert page_seal_of(content) == "whole"
    for name in (b"preact 11", b"uplot 1", b"htm 3", b"Permission is hereby granted", b"Apache License"):
        assert name in content
    assert not re.search(rb"""(src|href)=["']?https?:""", content)


def test_libraries_are_those_that_the_lock_names() -> None:
    tools = Path(__file__).resolve().parents[3] / "tools" / "page_libraries"
    wanted = json.loads((tools / "package.json").read_text())["dependencies"]
    locked = json.loads((tools / "package-lock.json").read_text())["packages"]
    licences = (Path(survey.__code__.co_filename).parent / "page" / "LICENCES.txt").read_text()
    for name, version in wanted.items():
        entry = locked[f"node_modules/{name}"]
        assert entry["version"] == version
        assert entry["license"] in ("MIT", "Apache-2.0", "ISC", "BSD-3-Clause")
        assert f"{name} {version} ({entry['license']})" in licences
