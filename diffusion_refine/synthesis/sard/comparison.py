"""The two ways to make a loss of the discriminator's verdicts. No torch."""

from enum import StrEnum


class Comparison(StrEnum):
    """How the discriminator's verdicts of a real and a made picture become a loss.

    separate: each is judged by itself, as (3) is printed. paired: the real one against the one made of it
    [Jolicoeur-Martineau 2019], so that what both show alike, all but the mask of a surface with little contrast,
    does not have to be learnt first.
    """

    paired = "paired"
    separate = "separate"
