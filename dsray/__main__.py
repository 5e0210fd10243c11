"""`python -m dsray` is `dsray`."""

from dsray.cli import main

main()
