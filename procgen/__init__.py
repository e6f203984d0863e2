"""What can be on a surface, as fields over its points: noise, placement, finish, impurities, defects, their stacking.

Every module stands alone and is imported by its name; nothing here knows of scenes, Blender or learning.
"""
