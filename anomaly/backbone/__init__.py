"""The embedded backbone: procedural pictures, what is learnt from them, and the weights that came of it."""
