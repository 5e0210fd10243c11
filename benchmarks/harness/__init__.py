"""How the rows of a benchmark are kept, gone on with, and shown in the README; nothing in here measures."""
