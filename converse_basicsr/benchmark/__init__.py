"""Networks beside one another: trained by one recipe, and quality shown against cost."""
