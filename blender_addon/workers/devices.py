"""What Cycles renders on: the processor, or one graphics card a process."""

from collections.abc import Mapping, Sequence
from importlib import import_module

from procgen.errors import BlemishError

CPU, AUTO = "cpu", "auto"
# How a user names Cycles' back ends, the fastest on its hardware first; on a card of NVIDIA both of the first two run.
BACKENDS = {"optix": "OPTIX", "cuda": "CUDA", "hip": "HIP", "metal": "METAL", "oneapi": "ONEAPI"}
NAMES = (CPU, *BACKENDS, AUTO)

Found = Mapping[str, Sequence[str]]  # names of the cards that each back end can use, by the user's name of it


def usable_device(wanted: str, found: Found) -> tuple[str, str | None]:
    """The device to render on, one of NAMES but AUTO, and a sentence where it is not the one that was named.

    Raises BlemishError for a name that is none.
    """
    if wanted not in NAMES:
        raise BlemishError(f"device: found {wanted}; expected one of {', '.join(NAMES)}")
    if wanted == AUTO:
        return next((name for name in BACKENDS if found.get(name)), CPU), None
    if wanted == CPU or found.get(wanted):
        return wanted, None
    others = [f"{name} ({', '.join(cards)})" for name, cards in found.items() if cards]
    usable = f"usable here: {', '.join(others)}" if others else "no graphics card is usable here"
    return CPU, f"device {wanted}: Blender found no card for it; {usable}; rendering on the processor"


def available() -> dict[str, list[str]]:
    """The cards that this Blender can render on. Loads the drivers, and dies with one that crashes."""
    import_module("bpy")  # which brings the next
    import _cycles

    found = {}
    for name, backend in BACKENDS.items():
        try:
            devices = _cycles.available_devices(backend)
        except (RuntimeError, TypeError, ValueError):  # unknown to this version
            devices = ()
        found[name] = [device[0] for device in devices if device[1] == backend]
    return found


def use(name: str, number: int) -> None:
    """Have this Blender render on the `number`-th card of a back end, or on its own processor.

    The scenes' own `cycles.device` must say which of the two. Raises BlemishError where the card is not there.
    """
    if name == CPU:
        return
    import bpy

    preferences = bpy.context.preferences.addons["cycles"].preferences
    try:
        preferences.compute_device_type = BACKENDS[name]
        devices = preferences.get_devices_for_type(BACKENDS[name])
    except TypeError:  # not a back end of this build
        devices = []
    cards = [device for device in devices if device.type == BACKENDS[name]]
    if number >= len(cards):
        raise BlemishError(f"device {name}: found {len(cards)} cards; expected at least {number + 1}: use --device cpu")
    for device in preferences.devices:
        device.use = False
    cards[number].use = True
