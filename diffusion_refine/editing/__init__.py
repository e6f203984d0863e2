"""Edits of pictures by words and masks, and whether labels stay true."""
