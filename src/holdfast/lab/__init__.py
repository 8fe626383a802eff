"""The wet room: the only place that touches processes, namespaces, files and clocks."""
