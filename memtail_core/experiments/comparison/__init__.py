"""What changes with the network, the recipe or the epochs, and how much of it is noise?"""
