"""What synthetic pictures are worth: an estimator of their quality, taught by what a detector gains [Qian 2025]."""
