"""What is printed from the service's own code: the contract and the page of formulas."""
