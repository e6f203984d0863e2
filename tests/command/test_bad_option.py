"""Options and arguments that are out of range: one clear line, exit code 2, and every file as it was."""

from pathlib import Path

import pytest

from tests.command.told import Refused


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["render", "plate", "--out", "new", "--frames", "-3"], ["--frames", "found -3", "greater than or equal to 1"]),
        (["render", "plate", "--out", "new", "--workers", "0"], ["--workers", "found 0", "greater than or equal to 1"]),
        (["render", "plate", "--out", "new", "--samples", "many"], ["--samples", "found many", "valid integer"]),
        (["render", "plate", "--out", "new", "--seed", "-1"], ["--seed", "found -1", "greater than or equal to 0"]),
        (["render", "plate"], ["Missing option '--out'"]),
        (["render", "plate", "--out", "new", "--with"], ["No such option: --with", "--without"]),
        (["render", "plate", "--out", "new", "--without", "dust"], ["plate: no family 'dust'", "defects, impurities"]),
        (["train", "mvtec", "--out", "new", "--share", "1.5"], ["--share", "found 1.5", "less than or equal to 1"]),
        (
            ["train", "mvtec", "--out", "new", "--format", "jpeg"],
            ["jpeg: is no dataset format", "auto, blemish", "mvtec"],
        ),
        (["train", "mvtec", "--out", "new", "--backbone", "resnet_of_mine"], ["resnet_of_mine is no timm model"]),
        (["train", "mvtec", "--out", "new", "--weights", "recipe.yaml"], ["recipe.yaml: is no safetensors file"]),
        (["train", "mvtec", "--out", "new", "--outposts", "4"], ["--outposts is now called --boundary-patches"]),
        (["rendre", "plate"], ["No such command 'rendre'", "Did you mean 'render'"]),
    ],
)
def test_option_out_of_range(
    refused: Refused, at: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: list[str]
) -> None:
    monkeypatch.chdir(at)
    line = refused(*arguments)
    assert all(part in line for part in told), line
