"""This process: its end by signals, its memory allocation, its usable processors."""
