"""Folders at URLs, on a server like S3 that the test starts: whole or not at all, and as they are on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import blemish
from scenes import Dataset, DatasetWriter, draw, load_recipe
from scenes.urls import PLACE, STORING, RemoteFolder, UrlError, localised
from tests.command.told import contents

pytest.importorskip("s3fs")
moto = pytest.importorskip("moto.server")
INDEXES = tuple(blemish.VERIFIERS)
REQUESTS = 14  # that two more frames take: the note, five files each, two of the whole, and the note's end


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = moto.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty bucket of its own, on the server that everything of this test speaks to."""
    import fsspec

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", server)
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server})
    monkeypatch.setenv(PLACE, str(tmp_path / "copies"))
    name = f"s3://blemish-{abs(hash(request.node.nodeid))}"
    objects().mkdir(name)
    return name


def objects():
    import fsspec

    return fsspec.filesystem("s3")


def there(url: str) -> dict[str, bytes]:
    """Everything at a URL, by name."""
    files = objects()
    files.invalidate_cache()
    root = url.removeprefix("s3://")
    return {name.removeprefix(root).lstrip("/"): files.cat_file(name) for name in files.find(url)}


def files_of(folder: Path) -> dict[str, bytes]:
    return {name: content for name, content in contents(folder).items() if content is not None}


def write(folder: Path, frames: int) -> None:
    """A dataset of empty pictures; those that are there stay."""
    recipe = load_recipe("plate").without("defects").without("impurities")
    recipe = recipe.model_copy(update={"camera": recipe.camera.model_copy(update={"resolution": (16, 16)})})
    writer = DatasetWriter(folder, recipe, 3, frames)
    mask = np.zeros((16, 16), np.uint16)
    for index in writer.missing():
        writer.write(index, np.full((16, 16, 3), index, np.uint8), mask, mask, mask, draw(recipe, 3, index), ())
    writer.finish()


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """From now on this is another machine, without copies."""
    monkeypatch.setenv(PLACE, str(tmp_path / name))


def test_what_is_written_is_there_and_is_read_on_another_machine(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with localised(["render", "--out", f"{bucket}/sets/plate"], INDEXES) as words:
        assert words[:2] == ["render", "--out"]
        assert Path(words[2]).name == "plate"
        write(Path(words[2]), 3)
        assert there(bucket) == {}
    write(tmp_path / "here", 3)
    assert there(f"{bucket}/sets/plate") == files_of(tmp_path / "here")
    elsewhere(monkeypatch, tmp_path, "other")
    with localised(["train", f"{bucket}/sets/plate", "--size=2"], INDEXES) as words:
        assert words[2] == "--size=2"
        assert len(Dataset(words[1])) == 3
        assert files_of(Path(words[1])) == files_of(tmp_path / "here")


def test_a_dataset_grows_from_whichever_machine(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"{bucket}/set"
    for number, frames in enumerate((2, 3, 5)):
        elsewhere(monkeypatch, tmp_path, str(number % 2))
        with localised(["render", f"--out={url}"], INDEXES) as words:
            folder = Path(words[1].removeprefix("--out="))
            assert folder.is_dir() == (number > 0)
            write(folder, frames)
    write(tmp_path / "here", 5)
    assert there(url) == files_of(tmp_path / "here")


def test_an_error_stores_nothing_and_the_copy_goes_on(bucket: str, tmp_path: Path) -> None:
    def stopped() -> None:
        with localised(["render", "--out", f"{bucket}/set"], INDEXES) as words:
            write(Path(words[2]), 2)
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        stopped()
    assert there(bucket) == {}
    with localised(["render", "--out", f"{bucket}/set"], INDEXES) as words:
        assert len(Dataset(words[2])) == 2


@pytest.mark.parametrize("killed_at", [0, 1, 6, 11, 12, 13, REQUESTS])
def test_nobody_sees_half_whenever_the_writer_dies(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    """A dataset of two frames is extended to four; its writer dies before a request that changes an object."""
    import s3fs

    url = f"{bucket}/set"
    write(tmp_path / "two", 2)
    write(tmp_path / "four", 4)
    with localised(["render", "--out", url], INDEXES) as words:
        write(Path(words[2]), 2)
    calls = 0

    def dying(method):
        async def call(*arguments, **options):
            nonlocal calls
            if calls >= killed_at:
                raise OSError("the machine is gone")
            calls += 1
            return await method(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("_put_file", "_pipe_file", "_rm_file"):
            patch.setattr(s3fs.S3FileSystem, name, dying(getattr(s3fs.S3FileSystem, name)))
        s3fs.S3FileSystem.clear_instance_cache()
        died = False
        try:
            with localised(["render", "--out", url], INDEXES) as words:
                write(Path(words[2]), 4)
        except UrlError as error:
            died = "the machine is gone" in str(error)
    s3fs.S3FileSystem.clear_instance_cache()
    assert died == (killed_at < REQUESTS)
    assert calls == killed_at
    elsewhere(monkeypatch, tmp_path, "reader")
    with localised(["train", url], INDEXES) as words:
        seen = Dataset(words[1])
        assert seen.complete
        assert [frame.image.mean() for frame in seen] == list(range(len(seen)))
        assert len(seen) in (2, 4)
    elsewhere(monkeypatch, tmp_path, "copies")
    with localised(["render", "--out", url], INDEXES) as words:
        write(Path(words[2]), 4)
    assert there(url) == files_of(tmp_path / "four")


def test_a_first_writer_that_died_leaves_nothing_that_is_read(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{bucket}/set"
    objects().pipe_file(f"{url}/{STORING}", json.dumps(["images/000000.png", "images/000009.png"]).encode())
    objects().pipe_file(f"{url}/images/000009.png", b"half")
    with (
        pytest.raises(UrlError, match="is being written, or its writer was stopped"),
        localised(["train", url], INDEXES),
    ):
        pass
    with localised(["render", "--out", url], INDEXES) as words:
        write(Path(words[2]), 2)
    write(tmp_path / "here", 2)
    assert there(url) == files_of(tmp_path / "here")


def test_other_files_are_left_alone(bucket: str) -> None:
    objects().pipe_file(f"{bucket}/photos/holiday.png", b"mine")
    with (
        pytest.raises(UrlError, match="found other files and none of"),
        localised(["render", "--out", f"{bucket}/photos"], INDEXES),
    ):
        pass
    with localised(["render", "--out", f"{bucket}/photos/set"], INDEXES) as words:
        write(Path(words[2]), 1)
    assert there(bucket)["photos/holiday.png"] == b"mine"


def test_single_files_and_what_is_not_there(bucket: str) -> None:
    objects().pipe_file(f"{bucket}/recipes/own.yaml", b"name: own\n")
    with localised(["check", f"{bucket}/recipes/own.yaml"], INDEXES) as words:
        assert Path(words[1]).read_bytes() == b"name: own\n"
        assert Path(words[1]).name == "own.yaml"
    with pytest.raises(UrlError, match="found nothing there"), localised(["check", f"{bucket}/none"], INDEXES):
        pass
    with localised(["inspect", "rtsp://camera/1", "https://example.org/a.png"], INDEXES) as words:
        assert words == ["inspect", "rtsp://camera/1", "https://example.org/a.png"]


def test_a_name_that_leads_out_is_refused(bucket: str) -> None:
    remote = RemoteFolder(f"{bucket}/set", INDEXES)
    with pytest.raises(UrlError, match=r"found the name \.\./\.\./evil, which leads out"):
        remote._path("../../evil")


def test_the_command_takes_urls(bucket: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with localised(["render", "--out", f"{bucket}/set"], INDEXES) as words:
        write(Path(words[2]), 2)
    elsewhere(monkeypatch, tmp_path, "other")
    assert blemish.run(["verify", f"{bucket}/set"]) == 0
    assert blemish.run(["verify", f"{bucket}/none"]) == blemish.USER_ERROR
    assert os.listdir(tmp_path / "other")
