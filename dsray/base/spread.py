"""How a model tells the spread of a number, for those who read its answers with torch and without."""

WIDEST = 7.0
"""Bound of the log standard deviation, in which a number x is read as WIDEST tanh(x / WIDEST): a thousandth to a thousand
times the spread of the training rows, with a gradient that vanishes nowhere."""
