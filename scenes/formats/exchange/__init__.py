"""Datasets written as other programs read them, and theirs read into Blemish's: the commands `export` and `import`."""
