"""What people look at: pages, pictures with axes, and figures. It knows no science."""
