"""Where does memorization happen: in the last layer, or below it?"""
