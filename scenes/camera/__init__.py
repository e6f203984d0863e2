"""Where light and camera stand, and what the sensor makes of the light that arrives."""
