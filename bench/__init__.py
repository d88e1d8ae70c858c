"""Side-by-side measurements: the same work by this pipeline and by others, on the same servers, in one go."""
