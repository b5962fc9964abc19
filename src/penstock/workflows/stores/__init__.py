"""Products that hold arrays: NetCDF files and Zarr stores."""
