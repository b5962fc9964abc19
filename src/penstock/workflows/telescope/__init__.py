"""A telescope's nights: what is planned from tables of runs."""
