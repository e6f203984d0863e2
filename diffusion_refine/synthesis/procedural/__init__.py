"""Defects and impurities drawn on photographs of good surfaces by the physics of `procgen`."""
