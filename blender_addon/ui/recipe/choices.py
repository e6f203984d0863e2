"""What the choices of a recipe's fields are called, and what each of them is."""

from __future__ import annotations

from blender_addon.ui.schema import Field

CHOICE_LABELS = {"srgb": "sRGB", "any": "Any", "x": "+X", "y": "+Y", "z": "+Z", "-x": "−X", "-y": "−Y", "-z": "−Z"}
AXIS = "This axis of the file faces the camera"
CHOICE_TIPS = {
    "rhomb": "A rhomb with corners of 80° and 100°",
    "triangle": "A triangle of three equal sides",
    **dict.fromkeys(("x", "y", "z", "-x", "-y", "-z"), AXIS),
    "concentric": "Circles about an upright axis, as on a faced disc",
    "helical": "A helix about a lying axis, as on a turned shaft",
    "anywhere": "Anywhere on the surface",
    "ends": "At its lower or upper side",
    "across": "From one side across to the other",
    "right": "At right angles, as in glaze and mud",
    "triple": "Three at 120°",
    "scratch": "A scratch anywhere",
    "circle": "A circle",
    "cross": "A cross",
    "line": "A line",
    "tick": "A tick",
    "zigzag": "A zigzag",
    "any": "Any of them, in every frame another",
    "arch": "Ridges that rise in the middle",
    "loop": "Ridges that turn back",
    "whorl": "Ridges in circles",
    "aluminium": "Aluminium, which is light grey",
    "copper": "Copper, which is reddish",
    "iron": "Iron, which is darker",
    "8": "256 steps, as in most pictures",
    "16": "65,536 steps, as cameras for measuring have them",
    "uniform": "Anywhere, all places equally likely",
    "poisson_disk": "Anywhere, but a distance apart",
    "edge": "The denser the nearer to the border",
    "curvature": "The denser the sharper the surface bends",
    "at": "In the middle of a thing that was drawn before",
    "along": "Anywhere on a thing that was drawn before",
    "linear": "Numbers in proportion to the light",
    "srgb": "Numbers as screens expect them",
}
# What means something else in one field than in others: (field, choice) -> label and tooltip.
OF_FIELD = {
    ("surface", "own"): ("Own Material", "The materials that the objects have; Blemish's finish on those without"),
    ("surface", "finish"): ("Blemish's Finish", "The finish of the recipe, in place of the objects' materials"),
    ("cameras", "scene"): ("Active", "The scene's camera"),
    ("cameras", "all"): ("All", "Every camera: the frames of a surface follow each other"),
    ("picture", "blender"): ("Blender's", "As the file's colour management shows it"),
    ("picture", "sensor"): ("The Sensor's", "As the recipe's sensor develops the light"),
    ("axes", "world"): ("World", "Those of the world"),
    ("axes", "own"): ("Own", "Those of each object"),
    ("start", "any"): ("Any Way", "Turned any way, all equally likely"),
    ("start", "own"): ("As in the File", "Turned as the file has them"),
    ("shape", "hull"): ("Convex Hulls", "Quick; nothing sticks out of a hole into another"),
    ("shape", "mesh"): ("Every Triangle", "The meshes themselves, which takes longer"),
}
NAMES = "NAMES"  # where names may stand in the place of a choice
NAMES_ITEM = (NAMES, "Named", "Those of a list of names or patterns")


def items(field: Field) -> list[tuple[str, str, str]]:
    """The choices of a field, as Blender's enumerations have them."""
    return [(str(choice), *_told(field.name, choice)) for choice in field.choices]


def _told(name: str, choice: str | int) -> tuple[str, str]:
    """The label and the tooltip of a choice."""
    if (name, str(choice)) in OF_FIELD:
        return OF_FIELD[name, str(choice)]
    plain = str(choice).replace("_", " ").title()
    label = f"{choice} bit" if isinstance(choice, int) else CHOICE_LABELS.get(choice, plain)
    return label, CHOICE_TIPS.get(str(choice), "")
