"""Inspectors outside of Blemish: one file that takes a picture and answers, in a format that others run."""
