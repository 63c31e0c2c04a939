"""What `./dev bench peers` runs under each system: stdlib only, as these run in the environments of others, too."""
