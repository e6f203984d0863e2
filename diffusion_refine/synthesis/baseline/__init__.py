"""Published pipelines as diffusers keeps them, behind the same seam as all methods: what ours are compared with."""
