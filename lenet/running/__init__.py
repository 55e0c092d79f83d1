"""One run as it is made: from a plan to trained weights, figures and a record closed with the status that is true."""
