"""The steps of a run, one file each; `dsray.run` puts them in order and later verbs call them alone."""
