"""An extension of Chaos Toolkit: its experiments break and measure the service that `holdfast up` keeps.

Actions are in `holdfast.chaostoolkit.actions`, probes in `holdfast.chaostoolkit.probes`; docs/chaostoolkit.md has an experiment.
They need `chaostoolkit-lib`, which is there wherever `chaos` is.
"""
