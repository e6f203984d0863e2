"""Which class of defect a picture shows, if any: timm's networks, MixUp and CutMix, accuracy, macro F1 and recalls."""
