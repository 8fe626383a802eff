"""holdfast: the test suite for failover.  Imports nothing, so that `holdfast.runtime` stays light."""
