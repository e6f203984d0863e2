"""How good an edit is."""
