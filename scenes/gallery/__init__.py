"""A dataset as a page that one looks at: its frames, what is on them, and how they compare with real pictures."""
