"""Runs inside the Blender under test: answers a driver outside it, and does nothing that a user's hand can do.

One request a line of JSON, [name, argument, …], over a local socket; the answer is one line of JSON. It tells where
things are and how they stand, by which the driver moves the real mouse.
"""

import json
import os
import socket

import bpy

EVERY = 0.02  # seconds
MOST_CHANGES = 20  # that are told; an answer has to fit into what the connection takes at once


def sidebar():
    """(area, region) of the 3D view's sidebar."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "UI")


def is_open():
    return bool(sidebar()[1].spaces.active.show_region_ui)


def place():
    """Left, top, right and bottom of the sidebar, counted from the window's top left."""
    window, _, region = sidebar()
    return [region.x, window.height - region.y - region.height, region.x + region.width, window.height - region.y]


def view():
    """Left, top, right and bottom of what is free of the 3D view, beside tools and sidebar."""
    window, area, side = sidebar()
    region = next(region for region in area.regions if region.type == "WINDOW")
    right = min(side.x, region.x + region.width) if side.width > 1 else region.x + region.width
    return [region.x + 60, window.height - region.y - region.height + 60, right - 10, window.height - region.y - 10]


def middle_of_view():
    left, top, right, bottom = view()
    return [(left + right) // 2, (top + bottom) // 2]


def clipboard():
    return window_manager().clipboard


def under_mouse():
    """What the mouse is over in the sidebar: an operator's call or a property's path, "" for neither."""
    window, area, region = sidebar()
    manager = window_manager()
    manager.clipboard = ""
    with bpy.context.temp_override(window=window, area=area, region=region):
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
        elif bpy.ops.ui.copy_data_path_button.poll():
            bpy.ops.ui.copy_data_path_button(full_path=True)
    return manager.clipboard


def window_manager():
    return bpy.context.window_manager


_drawn = [0]


def drawn():
    """How often the tab's panels were drawn so far."""
    return _drawn[0]


def count(panel, context):
    _drawn[0] += 1


def get(path):
    """The value of a property of the scene, by its path."""
    value = bpy.context.scene.path_resolve(path)
    return value if isinstance(value, (bool, int, float, str)) else list(value) if hasattr(value, "__len__") else None


def recipe():
    """The recipe that the panel describes, as JSON."""
    from blender_addon.ui.recipe.exchange import to_recipe

    return to_recipe(bpy.context.scene.blemish).model_dump_json()


def layers():
    """Class kinds of the surface's layers."""
    return [layer.kind for layer in bpy.context.scene.blemish.layers]


def objects():
    return [[thing.name, thing.type] for thing in bpy.data.objects]


def run(slot):
    """How a run stands."""
    from blender_addon.ui import progress

    found = progress.current(slot)
    if found is None:
        return None
    state = found.state
    return {
        "title": found.title,
        "phase": str(state.phase),
        "done": state.done,
        "total": state.total,
        "message": state.message,
        "folder": str(found.folder),
    }


def reports():
    """Every report since Blender started, newest last, as its info editor lists them."""
    window, area, _ = sidebar()
    before = area.type
    window_manager().clipboard = ""
    area.type = "INFO"
    try:
        with bpy.context.temp_override(window=window, area=area):
            bpy.ops.info.select_all(action="SELECT")
            bpy.ops.info.report_copy()
    finally:
        area.type = before
    return window_manager().clipboard.splitlines()


_remembered = {}


def remember():
    """Take note of the whole file."""
    from tests.blender_addon.whole_file import everything

    _remembered.clear()
    _remembered.update(everything())


def changes():
    """What is not as it was remembered, but for windows, what the tab itself is set to, and which object is active."""
    from tests.blender_addon.whole_file import differences, everything

    found = differences(_remembered, everything())
    own = (".blemish.", ".blemish_dataset.", ".blemish_learn.")
    kept = [line for line in found if not line.startswith("workspaces[") and not any(map(line.count, own))]
    return [line[:200] for line in kept[:MOST_CHANGES]]


def speak(language):
    """Set Blender's language."""
    bpy.context.preferences.view.language = language
    bpy.context.preferences.view.use_translate_interface = True


def keys():
    """The tab's keys, as (key, operator)."""
    keymap = window_manager().keyconfigs.user.keymaps["3D View"]
    called = [(item.to_string(), item.idname, getattr(item.properties, "name", "")) for item in keymap.keymap_items]
    return [entry for entry in called if "blemish" in f"{entry[1]} {entry[2]}".lower()]


def save(path):
    bpy.ops.wm.save_as_mainfile(filepath=path)


def process():
    return os.getpid()


ANSWERS = {
    answer.__name__: answer
    for answer in (
        is_open,
        place,
        view,
        middle_of_view,
        under_mouse,
        clipboard,
        drawn,
        get,
        recipe,
        layers,
        objects,
        run,
        reports,
        save,
        remember,
        changes,
        speak,
        keys,
        process,
    )
}


def serve(port):
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setblocking(False)
    received = b""

    def answer():
        nonlocal received
        try:
            received += connection.recv(65536)
        except BlockingIOError:
            pass
        except OSError:
            return None
        while b"\n" in received:
            line, _, received = received.partition(b"\n")
            name, *arguments = json.loads(line)
            try:
                reply = {"value": ANSWERS[name](*arguments)}
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            connection.sendall(json.dumps(reply).encode() + b"\n")
        return EVERY

    bpy.app.timers.register(answer, persistent=True)


for name in ("BLEMISH_PT_part", "BLEMISH_PT_dataset"):  # of which one is open
    getattr(bpy.types, name).append(count)
serve(int(os.environ["BLEMISH_TEST_PORT"]))
