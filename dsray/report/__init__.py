"""Pages and charts that are made from records.

`html` writes the report of a run, `compare` the page of several. A section is a file of `sections/` that computes what is
shown and a file of `templates/` that says how; `charts/` draws, and `page` puts all of it into one file, with the style
sheet and the script of `assets/` inside.
"""
