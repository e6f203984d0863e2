"""Copy-paste: real defects of a labelled set, blended into other pictures."""
