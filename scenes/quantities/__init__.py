"""Random quantities: distributions, the streams they are drawn from, units, and the models that hold them."""
