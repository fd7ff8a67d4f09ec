"""Singer tap for the delivery logs of e-mail providers."""
