"""What a scene of the user holds, by names: all that drawing needs to know of the file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from procgen.errors import BlemishError
from scenes.own_scene.section import OwnSceneRecipe
from scenes.quantities.distribution import shown
from scenes.quantities.scene_model import SceneModel

NAMES_SHOWN = 8


class Contents(SceneModel):
    """Names of what a scene holds, each list in a fixed order.

    blend: the file, for messages. inspected: those of the objects that the section `scene` inspects. camera: the
    scene's own; none where it has none.
    """

    blend: str
    objects: tuple[str, ...]
    inspected: tuple[str, ...]
    lights: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    camera: str | None = None
    collections: tuple[str, ...] = ()


def matching(patterns: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names`, in their order, that one of the patterns is or matches: * for any text, ? for any sign."""
    wanted = tuple(patterns)
    return tuple(name for name in names if any(name == pattern or fnmatchcase(name, pattern) for pattern in wanted))


def found_in(contents: Contents, field: str, patterns: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The same. Raises BlemishError, which names the field of the recipe, for a pattern that matches none."""
    for pattern in (wanted := tuple(patterns)):
        if not matching([pattern], names):
            near = difflib.get_close_matches(pattern, names, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            known = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
            raise BlemishError(
                f"{contents.blend}: found nothing that {shown(pattern)} of the recipe's {field} names{hint} "
                f"(there are: {known or 'none'})"
            )
    return matching(wanted, names)


def views(section: OwnSceneRecipe, contents: Contents) -> tuple[str, ...]:
    """Names of the cameras that each show a surface once. Raises BlemishError where there is none."""
    if section.cameras == "scene":
        if contents.camera is None:
            raise BlemishError(f"{contents.blend}: the scene has no camera; expected one, or names in scene.cameras")
        return (contents.camera,)
    if section.cameras == "all":
        if not contents.cameras:
            raise BlemishError(f"{contents.blend}: the scene has no camera; expected one or more")
        return contents.cameras
    return found_in(contents, "scene.cameras", section.cameras, contents.cameras)
