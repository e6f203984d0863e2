"""The colour in which the panel shows each class of the masks."""

# By class bit: the eight of Okabe and Ito ("Color Universal Design", 2008) without black, then eight darker ones.
CLASS_COLOURS = (
    (0.90, 0.10, 0.08),
    (0.34, 0.71, 0.91),
    (0.94, 0.89, 0.26),
    (0.00, 0.62, 0.45),
    (0.80, 0.47, 0.65),
    (0.90, 0.62, 0.00),
    (0.00, 0.45, 0.70),
    (0.60, 0.95, 0.45),
    (0.55, 0.10, 0.45),
    (0.10, 0.85, 0.85),
    (0.60, 0.35, 0.10),
    (0.45, 0.45, 1.00),
    (1.00, 0.60, 0.60),
    (0.35, 0.45, 0.10),
    (0.75, 0.75, 0.75),
    (0.30, 0.20, 0.60),
)
