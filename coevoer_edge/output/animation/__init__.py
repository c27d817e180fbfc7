"""A person's motion over a stream, and the files that animators open: BVH and animated GLB."""
