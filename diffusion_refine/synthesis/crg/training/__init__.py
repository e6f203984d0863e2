"""How CRG's two networks are trained: of good pictures, and of patches round the boxes of defects."""
