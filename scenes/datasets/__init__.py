"""The dataset on disk: its schema, writer, reader, and a page on it."""
