"""A verb of the command line is a file; it chooses the place where its work is done."""
