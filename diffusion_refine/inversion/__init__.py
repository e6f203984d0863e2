"""From pictures to noise and back: DDIM, null embedding optimisation, direct inversion, sampling."""
