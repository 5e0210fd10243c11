"""The steps of a run, one file each; `dsray.runner` puts them in order and later verbs call them alone."""
