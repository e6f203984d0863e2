"""The study of BiSQAD: what parts of MaPhC2F, and weights, are worth to a detector that learns from its pictures."""
