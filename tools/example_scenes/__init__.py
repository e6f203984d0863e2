"""Three scenes as users have them, each made by a script for Blender, with a recipe for frames of it.

python -m tools.example_scenes.write nuts_in_a_bin out/nuts
"""
