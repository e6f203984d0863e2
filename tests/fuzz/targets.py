"""What is fuzzed: every reader of files that people give to Blemish. To add one, add it to a module's TARGETS.

A target's sound contents are spoilt by `mutations`; whatever comes of it, its reader may only give a value or raise a
BlemishError (`tally`).
"""

from tests.fuzz import datasets, formats, inspectors, meshes, pictures, recipes

TARGETS = {
    target.name: target
    for module in (recipes, datasets, formats, pictures, meshes, inspectors)
    for target in module.TARGETS
}
