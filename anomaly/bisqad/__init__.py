"""BiSQAD, the detector that learns from pictures with defects, each by what it is worth [Qian 2025]."""
