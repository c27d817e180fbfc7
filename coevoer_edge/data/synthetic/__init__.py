"""Synthetic people: an endless, seeded source of images of the open body with exact SMPL-X labels.

`people.SyntheticPeople` is the entry point.
"""
