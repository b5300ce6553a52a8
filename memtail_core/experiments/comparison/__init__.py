"""What changes with the network, recipe or epochs, and what of it is noise?"""
