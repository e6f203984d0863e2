"""Training of autoencoders, denoisers and adapters."""
