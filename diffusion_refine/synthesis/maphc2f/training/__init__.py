"""How the networks of MaPhC2F learn, and from what."""
