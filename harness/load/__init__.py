"""The Locust side: it runs in a process of its own, since importing Locust patches the world."""
