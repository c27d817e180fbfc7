"""Readers of the published datasets UBody, AGORA and EHF, each from the folder its download unpacks to.

None of them is shipped with the package or required by it. Users obtain each licence from the dataset's authors.
"""
