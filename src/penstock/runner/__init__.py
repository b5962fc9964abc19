"""The far end: runs one element of a job and reports in files. Standard library only, Python 3.6."""
