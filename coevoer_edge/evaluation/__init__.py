"""How good a network is: errors against datasets, the paper's tables beside them, pictures to look at."""
