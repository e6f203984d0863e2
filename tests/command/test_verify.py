"""`blemish verify` names what is damaged, in lines, and ends with 2."""

from pathlib import Path

import blemish
from tests.command.conftest import Run


def test_what_is_sound_and_what_is_not_is_told(run: Run, at: Path) -> None:
    sound = run("verify", at / "data", at / "bank")
    assert (sound.code, sound.out.split()) == (0, ["sound", str(at / "data"), "sound", str(at / "bank")])
    for name in ("data/defects/000001.png", "bank/bank.safetensors"):
        content = bytearray((at / name).read_bytes())
        content[-20] ^= 4
        (at / name).write_bytes(content)
    told = run("verify", at / "data", at / "bank")
    lines = told.err.splitlines()
    assert told.code == blemish.USER_ERROR
    assert [line.partition(": was changed")[0] for line in lines] == [
        f"blemish: {at / 'data/defects/000001.png'}",
        f"blemish: {at / 'bank/bank.safetensors'}",
        "blemish: mend it with: blemish verify --repair",
    ]
    mended = run("verify", "--repair", at / "bank")
    assert "an inspector cannot be mended; train it again" in mended.err
    assert "found none of dataset.json, bank.safetensors" in run("verify", at).err
