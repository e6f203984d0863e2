"""Places where no dataset, inspector or report can go: one clear line, exit code 2, and every file as it was."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

import blemish
from scenes import Dataset
from tests.command.inputs import FRAMES, HALF, RENDER, SAMPLES, SEED, TINY, written
from tests.command.told import REPOSITORY, Refused, Run, Told, contents


def test_output_that_is_a_file_or_lies_below_one(refused: Refused, at: Path) -> None:
    taken = at / "taken"
    taken.write_text("mine")
    assert f"{taken}: found a file; expected a folder" in refused("render", "plate", "--out", taken)
    assert f"{taken / 'new'}: part of this path is a file; choose another" in refused(
        "render", "plate", "--out", taken / "new"
    )
    for command in (("train", at / "mvtec", *TINY), ("evaluate", at / "bank", at / "mvtec", *HALF)):
        line = refused(*command, "--out", taken)
        assert str(taken) in line
        assert "choose another --out" in line
    assert f"{taken / 'p.png'}: part of this path is a file" in refused(
        "preview", at / "recipe.yaml", "--out", taken / "p.png"
    )


def test_output_that_holds_other_files(refused: Refused, at: Path) -> None:
    line = refused("render", "plate", "--out", at / "mvtec")
    assert line.startswith(f"{at / 'mvtec'}: found other files and no dataset.json; expected a new or empty folder")
    line = refused("evaluate", at / "bank", at / "data", *HALF, "--out", at / "data")
    assert line.startswith(f"{at / 'data'}: found other files and no results.json; expected a new or empty folder")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--frames", FRAMES, "--seed", 6, "--samples", SAMPLES), "seed is 5 there and 6 now"),
        (("--frames", FRAMES, "--seed", SEED, "--samples", 2), "settings.samples is 1 there and 2 now"),
        ((*RENDER, "--without", "defects"), "recipe.switched_off is [] there and ['defects'] now"),
        (("--frames", 2, "--seed", SEED, "--samples", SAMPLES), "has 4 frames, more than the 2 asked for"),
    ],
)
def test_dataset_begun_differently(refused: Refused, at: Path, options: tuple[object, ...], told: str) -> None:
    line = refused("render", at / "recipe.yaml", "--out", at / "data", *options)
    assert line.startswith(f"{at / 'data'}: the dataset there ")
    assert told in line
    assert "another folder" in line


def test_dataset_of_another_recipe(refused: Refused, at: Path) -> None:
    (at / "other.yaml").write_text(yaml.safe_dump(written(light__power_w=7)))
    line = refused("render", at / "other.yaml", "--out", at / "data", *RENDER)
    assert "begun differently: recipe.light.power_w is 4.0 there and 7.0 now" in line


def test_dataset_of_a_newer_schema(refused: Refused, at: Path) -> None:
    header = at / "data/dataset.json"
    header.write_text(json.dumps(json.loads(header.read_text()) | {"schema": 9}))
    for command in (
        ("render", at / "recipe.yaml", "--out", at / "data", *RENDER),
        ("train", at / "data", "--out", at / "new"),
        ("evaluate", at / "bank", at / "data", "--out", at / "new"),
    ):
        line = refused(*command)
        assert line == f"{header}: written by a newer Blemish (schema 9; this one reads up to 1); update Blemish"


def test_dataset_folder_that_is_a_link(refused: Refused, at: Path) -> None:
    (at / "data/scenes/000003.json").unlink()
    (at / "data/images").rename(at / "elsewhere")
    (at / "data/images").symlink_to(at / "elsewhere")
    line = refused("render", at / "recipe.yaml", "--out", at / "data", *RENDER)
    assert line == f"{at / 'data/images'}: found a link; expected a folder of the dataset's own"


def shell(script: str, *arguments: object, wrapper: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a shell script that finds `blemish` as $BLEMISH and its arguments as $1, $2, …"""
    command = [*wrapper, "sh", "-c", script, "sh", *map(str, arguments)]
    environment = os.environ | {"BLEMISH": f"{sys.executable} -m blemish"}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def told_by(process: subprocess.CompletedProcess[str]) -> Told:
    return Told(process.returncode, process.stdout, process.stderr)


def test_output_that_may_not_be_written_to(at: Path) -> None:
    (at / "locked").mkdir(mode=0o500)
    wrapper: tuple[str, ...] = ()
    if os.geteuid() == 0:  # whom permissions stop only without these
        wrapper = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
        if not shutil.which("setpriv") or shell("true", wrapper=wrapper).returncode:
            pytest.skip("root cannot be held back here")
    script = '$BLEMISH render plate --out "$1/new"'
    line = told_by(shell(script, at / "locked", wrapper=wrapper)).refusal()
    assert line == f"{at / 'locked/new'}: not allowed to write here; choose a folder that you may write to"
    assert not list((at / "locked").iterdir())


@pytest.mark.render
def test_full_disk(tmp_path: Path) -> None:
    """On a file system of its own of 64 KiB; once it is larger, the same command goes on."""
    probe = 'mount -t tmpfs tmpfs "$1" && umount "$1"'
    wrappers: tuple[tuple[str, ...], ...] = ((), ("unshare", "-rm") if shutil.which("unshare") else ("false",))
    wrapper = next((each for each in wrappers if shell(probe, tmp_path, wrapper=each).returncode == 0), None)
    if wrapper is None:
        pytest.skip("no file system can be mounted here")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(written()))
    disk = tmp_path / "disk"
    disk.mkdir()
    script = """
        mount -t tmpfs -o size=64k tmpfs "$1" || exit
        trap 'umount "$1"' EXIT
        render() { $BLEMISH render "$2" --out "$1/set" --frames 3 --samples 1; }
        render "$@"; echo "code $?" >&2
        find "$1" -name '*.tmp' >&2
        mount -o remount,size=4m tmpfs "$1" || exit
        render "$@" && cp -r "$1/set" "$3"
    """
    process = shell(script, disk, recipe, tmp_path / "set", wrapper=wrapper)
    assert process.returncode == 0, process.stderr
    line, code = process.stderr.splitlines()
    assert code == "code 2"
    assert re.fullmatch(
        rf"blemish: {disk}/set/\w+/00000\d\.\w+: the disk is full; free some space and run the same command again, "
        "whole frames are kept",
        line,
    )
    assert Dataset(tmp_path / "set").complete


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes, as a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_files_larger_than_the_system_takes(run: Run, at: Path) -> None:
    before = contents(at)
    for command, name in (
        (("preview", at / "recipe.yaml", "--out", at / "preview.png"), at / "preview.png"),
        (("train", at / "mvtec", *TINY, "--out", at / "new"), at / "new"),
        (("evaluate", at / "bank", at / "mvtec", *HALF, "--out", at / "new"), at / "new"),
    ):
        with files_up_to(1024):
            told = run(*command)
        assert told.code == blemish.USER_ERROR
        assert len(told.err.splitlines()) == 1
        assert re.match(rf"blemish: {name}[^:]*: cannot be written \(File too large\); choose another ", told.err)
        assert contents(at) == before
