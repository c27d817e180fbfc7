"""Readers of the published datasets: UBody, AGORA and EHF, each from the folder its download unpacks to.

None comes with the package and none is needed by it: their licences are between the user and their authors.
"""
