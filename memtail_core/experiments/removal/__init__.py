"""What does test accuracy lose without the memorized training examples?"""
