"""Hosts as Linux namespaces: own network, mounts, processes, names and IPC; as root or as an ordinary user."""
