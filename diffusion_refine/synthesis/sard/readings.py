"""What the paper leaves open or says in two ways, as options; `sampling`, `contrast`, `losses` say more. No torch."""

from enum import StrEnum


class Background(StrEnum):
    """What stays outside the mask from step to step."""

    forward = "forward"
    literal = "literal"


class Comparison(StrEnum):
    """How the discriminator's verdicts of a real and a made picture become a loss.

    separate: each is judged by itself, as (3) is printed. paired: the real one against the one made of it
    [Jolicoeur-Martineau 2019], so that what both show alike, all but the mask of a surface with little contrast,
    does not have to be learnt first.
    """

    paired = "paired"
    separate = "separate"


class Contrast(StrEnum):
    """In which unit windows are drawn: ground, that of what surrounds the mask; picture, from black to white."""

    ground = "ground"
    picture = "picture"
