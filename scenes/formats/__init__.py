"""Pictures with their truth, whatever folder they come from; `scenes.formats.registry` names one module a format."""
