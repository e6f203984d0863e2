"""What `blemish calibrate` has rendered by Blender: the light that arrives at a camera, before any sensor."""
