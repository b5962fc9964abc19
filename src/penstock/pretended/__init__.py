"""Sites, clusters and runners that are only pretended, with a clock set by hand: for looking ahead, and for tests."""
