"""The rows of the panel Dataset on this very scene: what is inspected in it, and what differs from frame to frame."""
