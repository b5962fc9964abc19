"""Taking products to their final folders when their group is closed."""
