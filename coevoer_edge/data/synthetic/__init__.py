"""Synthetic people: images of the open body with exact SMPL-X labels, endless and seeded (`people.SyntheticPeople`)."""
