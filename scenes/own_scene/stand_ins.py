"""What a recipe with a scene of the user's own need not say, because that scene has it: it stands for nothing."""

from typing import Any

STAND_INS: dict[str, Any] = {
    "part": {"kind": "plate", "width_mm": 100, "height_mm": 100, "thickness_mm": 1},
    "finish": {
        "kind": "ground",
        "lay_degrees": 0,
        "correlation_along_mm": 12,
        "correlation_across_mm": 0.08,
        "height_rms_um": 0.025,
        "base_colour": [0.52, 0.52, 0.51],
        "roughness": 0.34,
    },
    "light": {"kind": "ring", "sides": 6, "diameter_mm": 200, "height_mm": 180, "panel_width_mm": 35, "power_w": 4},
    "camera": {"resolution": [640, 512], "focal_length_mm": 16, "sensor_width_mm": 8.4},
    "sensor": {"exposure": 0.3},
}
