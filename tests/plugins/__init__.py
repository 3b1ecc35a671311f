"""Six systems from outside of the package: one module and one config each, on the package's data set and models."""
