"""What the places where jobs run say and understand."""
