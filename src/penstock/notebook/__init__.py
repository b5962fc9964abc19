"""A campaign that is defined in a notebook: its functions travel as source, its conductor outlives the kernel."""
