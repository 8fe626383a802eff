"""Adapters to other libraries, one module each; import the one that you use, and it imports its library."""
