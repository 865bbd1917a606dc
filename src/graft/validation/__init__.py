"""Catalogue of the images and what is expected of it."""
