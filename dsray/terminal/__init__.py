"""The console: progress, pace, the closing table."""
