"""How the embedded backbone is trained: procedural pictures, the objective, the loop."""
