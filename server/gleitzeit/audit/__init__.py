"""What is done, by whom and by whose leave, as lines that outlive the process."""
