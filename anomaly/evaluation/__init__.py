"""How well anomaly maps find defects, and what an evaluation leaves on disk."""
