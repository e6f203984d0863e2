"""The user's own scene in the place of Blemish's stage: objects of a .blend inspected where they are."""
