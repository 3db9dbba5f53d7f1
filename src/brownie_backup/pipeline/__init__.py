"""The steps of a run: it reads parts, cuts them into blobs and stores these in each replica."""
