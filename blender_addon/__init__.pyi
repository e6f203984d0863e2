from .errors import RenderError as RenderError
from .registration import register as register
from .registration import unregister as unregister
from .workers.render import render_dataset as render_dataset

bl_info: dict[str, object]
