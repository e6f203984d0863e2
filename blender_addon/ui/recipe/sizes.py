"""How large an object of the user's is for a part, and by which unit it was likely mistaken.

Files in millimetres, as STL mostly is, Blender reads as metres: 44 mm become 44 m.
"""

from __future__ import annotations

from blender_addon.ui.words import say

SCALES = {
    1e-3: "Inspect at 1/1000",
    1e3: "Inspect at 1000:1",
}  # what sizes are likely mistaken by, and the button's text


def likely_scale(extent: float) -> float | None:
    """The factor that makes a most unusual extent (m) a usual one; None where it is usual or nothing makes it so."""
    from scenes.geometry.surfaces import USUAL

    low, high = USUAL
    if low <= extent <= high:
        return None
    return next((scale for scale in SCALES if low <= extent * scale <= high), None)


def size_text(name: str, extent: float) -> str:
    """What to say of an extent (m) that is no part's; empty where a part may have it."""
    from scenes.geometry.surfaces import EXTENTS

    if EXTENTS[0] <= extent <= EXTENTS[1]:
        return ""
    low, high = map(length_text, EXTENTS)
    told = {"name": name, "size": length_text(extent), "low": low, "high": high}
    return " ".join([say("{name} is {size} across; expected {low} to {high}.", **told), _offer(extent)]).strip()


def doubt_text(name: str, extent: float) -> str:
    """The question to ask where an extent (m) is most unusual; empty where it is usual."""
    offer = _offer(extent)
    return f"{say('{name} is {size} across.', name=name, size=length_text(extent))} {offer}" if offer else ""


def _offer(extent: float) -> str:
    scale = likely_scale(extent)
    if scale is None:
        return ""
    mistaken = (
        say("Was its file in millimetres, which Blender reads as metres?")
        if scale < 1
        else say("Was its file in metres, and scaled down since?")
    )
    size = length_text(extent * scale)
    return f"{mistaken} {say('{button} makes it {size}.', button=say(SCALES[scale]), size=size)}"


def length_text(metres: float) -> str:
    """A length as people say it: 44 mm, 2.5 m."""
    return f"{metres:.4g} m" if metres >= 1 else f"{metres * 1e3:.4g} mm"
