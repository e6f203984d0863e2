"""Command lines in the pages, against the options that the commands have."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

import blemish
from diffusion_refine.synthesis.cli import method_in, synthesize, with_options_of
from tests.docs.pages import PAGES, REPOSITORY, inline, name, shell_lines

# How a line of a page calls the command: in the shell, or in a Blender.
CALL = re.compile(
    r"^(?:\$ |time )?(?:blemish|blender .*--command blemish|blender .*headless\.py --) (?P<arguments>.*)$"
)
SCRIPT = re.compile(r"^(?:\S+/)?python (?:-m (?P<module>[\w.]+)|(?P<path>[\w/]+\.py))(?P<rest>.*)$")
TARGET = re.compile(r"^make (?P<target>[a-z][a-z-]*)")


def arguments_of(written: str) -> list[str]:
    """The words of a command line, without comment and redirection."""
    return shlex.split(re.sub(r"\s>\s*\S+", "", written), comments=True)


def idle(command: Any) -> None:
    """Have a command, and all below it, do nothing."""
    command.callback = None
    for below in getattr(command, "commands", {}).values():
        idle(below)


def parse(words: list[str]) -> None:
    """Have the command parse and convert these words, and do nothing; raises TyperException for what it refuses."""
    if words[0] == "synthesize":  # hands its words on to a command with the options of the method they name
        app = typer.Typer()
        app.callback()(lambda: None)
        app.command("synthesize")(with_options_of(synthesize, method_in(words)))
    else:
        app = blemish.program(words[0])
    program = typer.main.get_command(app)
    idle(program)
    program.main(words, prog_name="blemish", standalone_mode=False)


def calls(page: Path) -> Iterator[list[str]]:
    for line in shell_lines(page):
        if found := CALL.match(line):
            yield arguments_of(found["arguments"])


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_parse(page: Path) -> None:
    for words in calls(page):
        assert words[0] in blemish.COMMANDS, f"{name(page)}: blemish has no command {words[0]}"
        try:
            parse(words)
        except typer.TyperException as error:
            pytest.fail(f"{name(page)}: blemish {' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_named_in_sentences_exist(page: Path) -> None:
    """They may leave out what a command needs; what they say of it must be so."""
    for written in inline(page):
        if not (found := CALL.match(written)) or re.search(r"\b(COMMAND|METHOD|NAME)\b", written):
            continue
        words = arguments_of(found["arguments"])
        assert words[0] in blemish.COMMANDS, f"{name(page)}: blemish has no command {words[0]}"
        try:
            parse(words)
        except typer.TyperException as error:
            message = error.format_message()
            assert message.startswith("Missing "), f"{name(page)}: {written}: {message}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_scripts_exist_and_have_the_options(page: Path) -> None:
    for line in [*shell_lines(page), *inline(page)]:
        if not (found := SCRIPT.match(line)):
            continue
        path = REPOSITORY / (found["path"] or f"{found['module'].replace('.', '/')}.py")
        assert path.is_file(), f"{name(page)}: {line}: there is no {path.relative_to(REPOSITORY)}"
        sources = "".join(source.read_text(encoding="utf-8") for source in (path, REPOSITORY / "benchmarks/common.py"))
        for option in re.findall(r"--[a-z][a-z-]*", found["rest"].partition("#")[0]):
            assert f'"{option}"' in sources, f"{name(page)}: {line}: {path.name} has no {option}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in [*shell_lines(page), *inline(page)]:
        if found := TARGET.match(line):
            assert found["target"] in targets, f"{name(page)}: make has no target {found['target']}"


def test_the_search_finds_what_it_is_for() -> None:
    with pytest.raises(typer.TyperException, match="--frame"):
        parse(["render", "plate", "--frame", "3", "--out", "x"])
    with pytest.raises(typer.TyperException, match="Missing"):
        parse(["render"])
    with pytest.raises(typer.TyperException, match="--realism"):
        parse(["synthesize", "a.png", "--recipe", "plate", "--realism", "0.3"])
    parse(["synthesize", "data", "--method", "refine", "--realism", "0.3"])
    assert arguments_of("recipe plate > my.yaml   # copy") == ["recipe", "plate"]
    assert sum(1 for page in PAGES for _ in calls(page)) > 30
