"""What is made of a person: files, pictures, meshes, animations, avatar weights."""
