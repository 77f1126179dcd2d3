"""The tables of the documents that report recorded runs, a file per document."""
