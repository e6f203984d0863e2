"""One module a kind of light."""
