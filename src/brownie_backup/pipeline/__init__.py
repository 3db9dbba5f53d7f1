"""How a run works: it reads parts, cuts them into blobs and stores these in each replica."""
