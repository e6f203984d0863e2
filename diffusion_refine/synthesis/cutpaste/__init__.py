"""CutPaste: pieces of a picture, pasted elsewhere on it."""
