"""The command `bench`: bundles and peers side by side in one run."""
