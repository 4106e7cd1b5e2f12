"""What the commands of the command line do, a subject a file."""
