"""What is each training example worth to the accuracy on the test set?"""
