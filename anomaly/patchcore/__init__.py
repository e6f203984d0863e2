"""Sequential PatchCore as mathematics and as an anomalib model: coreset, nearest rows, boundary patches."""
