"""What is sold, how, and for how much: systems, offers, terms, and prices of now and then."""
