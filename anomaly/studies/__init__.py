"""Studies: what training on renders is worth on a real surface, after "Sequential PatchCore", section V, on any set."""
