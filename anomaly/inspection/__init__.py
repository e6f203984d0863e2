"""Inspectors: trained, evaluated, kept up."""
