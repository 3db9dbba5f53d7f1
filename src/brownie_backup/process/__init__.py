"""This process: how signals end it, how malloc gives memory back, which processors it may use."""
