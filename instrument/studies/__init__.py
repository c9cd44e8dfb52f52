"""Running studies: on which machines, from where on, into which files and pictures."""
