"""DRAEM's simulated anomalies: foreign textures in the shape of Perlin noise."""
