"""Which host has the record, who may write it, and how it moves to another."""
