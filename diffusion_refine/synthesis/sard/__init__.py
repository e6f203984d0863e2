"""SARD [Wang 2025]: defects drawn into a mask by four large denoising steps, everything else left as it is."""
