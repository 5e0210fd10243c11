"""The only package that imports ray: a cluster as the place of a run, serving, and the trials of a sweep."""
