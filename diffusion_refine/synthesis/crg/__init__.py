"""CRG [Luo 2025]: a model of good pictures and one of defects denoise side by side, each guiding the other."""
