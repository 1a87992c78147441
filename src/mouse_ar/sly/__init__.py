"""The only package that imports supervisely."""
