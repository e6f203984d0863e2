"""A scene of the user in the place of Blemish's stage: opened, varied from frame to frame, rendered and labelled."""
