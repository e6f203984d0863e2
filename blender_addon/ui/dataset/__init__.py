"""The panel Dataset."""
