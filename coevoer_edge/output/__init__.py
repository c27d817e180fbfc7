"""What is written for a person: files, pictures, meshes, animations, avatar weights."""
