"""What the tab's panels Part, Surface, Imaging and Recipe set: a recipe as Blender's properties."""
