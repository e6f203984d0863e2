"""Where the pictures of a study come from: the real set, renders, datasets that commands make of them."""
