"""For rows that outgrow one process: many processes, files larger than memory, a model kept in a file."""
